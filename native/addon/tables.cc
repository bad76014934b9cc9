#include "addon/tables.h"

#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/register.h"
#include "addon/table_gradients.h"

namespace sampled_softmax {
namespace {

constexpr napi_type_tag kTableTag = {0x7b1d6f0c2ea94d5full, 0x9c6a4b8e13f7d205ull};

struct Handle {
  std::shared_ptr<Table> table;  // null once disposed
};

// What V8 should know of memory outside its heap, so that it collects forgotten handles in time; a device's memory too.
void adjust_external_memory(napi_env env, const Table& table, int64_t sign) {
  int64_t total;
  napi_adjust_external_memory(env, sign * static_cast<int64_t>(table.bytes()), &total);
}

void release(napi_env env, Handle& handle) {
  if (!handle.table) return;
  adjust_external_memory(env, *handle.table, -1);
  handle.table.reset();
}

void finalize_handle(napi_env env, void* data, void*) {
  std::unique_ptr<Handle> handle(static_cast<Handle*>(data));
  release(env, *handle);
}

Handle* unwrap_handle(Napi::Env env, napi_value value) {
  napi_valuetype type;
  bool tagged = false;
  void* handle = nullptr;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object) return nullptr;
  if (napi_check_object_type_tag(env, value, &kTableTag, &tagged) != napi_ok || !tagged) return nullptr;
  return napi_unwrap(env, value, &handle) == napi_ok ? static_cast<Handle*>(handle) : nullptr;
}

Napi::Value table_info(const Napi::CallbackInfo& info) {
  std::shared_ptr<Table> table = unwrap_table(info.Env(), info[0]);
  if (!table) return info.Env().Null();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("rows", static_cast<double>(table->rows()));
  result.Set("dim", static_cast<double>(table->dim()));
  result.Set("dtype", static_cast<double>(table->dtype()));
  result.Set("device", table->on_device() ? table->device() + 1.0 : 0.0);
  return result;
}

Napi::Value dispose_table(const Napi::CallbackInfo& info) {
  if (Handle* handle = unwrap_handle(info.Env(), info[0])) release(info.Env(), *handle);
  return info.Env().Undefined();
}

Napi::Value make_token(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), table_token(read_table(info.Env(), info[0])));
}

Napi::Value table_from_token(const Napi::CallbackInfo& info) {
  std::shared_ptr<Table> table = find_table(info[0].As<Napi::String>());
  return table ? make_table_handle(info.Env(), std::move(table)) : info.Env().Null();
}

}  // namespace

Napi::Value make_table_handle(Napi::Env env, std::shared_ptr<Table> table) {
  Napi::Object object = Napi::Object::New(env);
  auto handle = std::make_unique<Handle>();
  if (napi_wrap(env, object, handle.get(), finalize_handle, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  Handle& owned = *handle.release();
  if (napi_type_tag_object(env, object, &kTableTag) != napi_ok) throw Napi::Error::New(env);
  owned.table = std::move(table);
  adjust_external_memory(env, *owned.table, 1);
  return object;
}

std::shared_ptr<Table> read_table(Napi::Env env, napi_value value) {
  std::shared_ptr<Table> table = unwrap_table(env, value);
  if (!table) throw_internal(env, "not a table");
  return table;
}

std::shared_ptr<Table> unwrap_table(Napi::Env env, napi_value value) {
  const Handle* handle = unwrap_handle(env, value);
  if (!handle) return nullptr;
  if (!handle->table) throw_error(env, "ERR_DISPOSED", "EmbeddingTable: it has been disposed");
  return handle->table;
}

void register_tables(Napi::Env env, Napi::Object exports) {
  exports.Set("tableInfo", Napi::Function::New(env, table_info, "tableInfo"));
  exports.Set("disposeTable", Napi::Function::New(env, dispose_table, "disposeTable"));
  exports.Set("tableToken", Napi::Function::New(env, make_token, "tableToken"));
  exports.Set("tableFromToken", Napi::Function::New(env, table_from_token, "tableFromToken"));
  register_table_calls(env, exports);
  register_table_gradients(env, exports);
}

}  // namespace sampled_softmax
