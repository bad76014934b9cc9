#include "addon/table_gradients.h"

#include <utility>

#include "addon/arguments.h"

namespace sampled_softmax {
namespace {

constexpr napi_type_tag kGradientsTag = {0x51c7a3e09d2b4f68ull, 0xa80f3d6be4715c92ull};

struct Handle {
  std::shared_ptr<KeptRows> rows;  // null once disposed
};

// As for tables: so that V8 collects forgotten handles in time.
void adjust_external_memory(napi_env env, const KeptRows& rows, int64_t sign) {
  int64_t total;
  napi_adjust_external_memory(env, sign * static_cast<int64_t>(rows.bytes()), &total);
}

void release(napi_env env, Handle& handle) {
  if (!handle.rows) return;
  adjust_external_memory(env, *handle.rows, -1);
  handle.rows.reset();
}

void finalize_handle(napi_env env, void* data, void*) {
  std::unique_ptr<Handle> handle(static_cast<Handle*>(data));
  release(env, *handle);
}

Handle& unwrap(Napi::Env env, napi_value value) {
  napi_valuetype type;
  bool tagged = false;
  void* handle = nullptr;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, value, &kGradientsTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, value, &handle) != napi_ok) {
    throw_internal(env, "not gradients on a device");
  }
  return *static_cast<Handle*>(handle);
}

Napi::Value dispose_gradients(const Napi::CallbackInfo& info) {
  release(info.Env(), unwrap(info.Env(), info[0]));
  return info.Env().Undefined();
}

}  // namespace

Napi::Value make_gradients_handle(Napi::Env env, std::shared_ptr<KeptRows> rows) {
  Napi::Object object = Napi::Object::New(env);
  auto handle = std::make_unique<Handle>();
  if (napi_wrap(env, object, handle.get(), finalize_handle, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  Handle& owned = *handle.release();
  if (napi_type_tag_object(env, object, &kGradientsTag) != napi_ok) throw Napi::Error::New(env);
  owned.rows = std::move(rows);
  adjust_external_memory(env, *owned.rows, 1);
  return object;
}

std::shared_ptr<KeptRows> read_gradients(Napi::Env env, napi_value value) {
  const Handle& handle = unwrap(env, value);
  if (!handle.rows) throw_error(env, "ERR_DISPOSED", "DeviceRowGradients: they have been disposed");
  return handle.rows;
}

void register_table_gradients(Napi::Env env, Napi::Object exports) {
  exports.Set("disposeGradients", Napi::Function::New(env, dispose_gradients, "disposeGradients"));
}

}  // namespace sampled_softmax
