#include "addon/table_gradients.h"

#include <mutex>
#include <shared_mutex>
#include <utility>

#include "addon/arguments.h"
#include "addon/table_call.h"

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

// addGradients(table, indices, gradients, first, scale)
class AddGradientsCall : public RowsCall {
 public:
  AddGradientsCall(const Napi::CallbackInfo& info, bool)
      : RowsCall(info),
        gradients_(read_gradients(info.Env(), info[2])),
        first_(read_size(info.Env(), info[3], "first")),
        scale_(info[4].As<Napi::Number>()) {
    const KeptRows& g = *gradients_;
    if (!on_device() || backend_ != &g.backend() || table_->device() != g.device() || table_->dim() != g.width() ||
        first_ > g.count() || count() > g.count() - first_) {
      throw_internal(info.Env(), "addGradients: not gradients of rows of this table");
    }
  }
  Status start(Notify notify) {
    std::unique_lock<std::shared_mutex> lock(table_->mutex());
    const RowsToAdd values{nullptr, gradients_->dtype(), gradients_->rows(), first_};
    return device().start_add_rows(*on_device(), choice(), values, scale_, notify, &pending_);
  }

 private:
  std::shared_ptr<KeptRows> gradients_;
  int64_t first_;
  double scale_;
};

// readGradients(gradients, first, out)
class ReadGradientsCall : public Call {
 public:
  ReadGradientsCall(const Napi::CallbackInfo& info, bool)
      : gradients_(read_gradients(info.Env(), info[0])), first_(read_size(info.Env(), info[1], "first")) {
    const KeptRows& g = *gradients_;
    backend_ = &g.backend();
    const TypedArray out = read_typed_array(info.Env(), info[2], "out");
    const size_t row = static_cast<size_t>(g.width()) * size_of(g.dtype());
    count_ = row ? static_cast<int64_t>(out.bytes() / row) : 0;
    if (out.type != (g.dtype() == DType::float64 ? napi_float64_array : napi_float32_array) ||
        out.bytes() != static_cast<size_t>(count_) * row || first_ > g.count() || count_ > g.count() - first_) {
      throw_internal(info.Env(), "readGradients: wrong type or length of out");
    }
    out_ = out.data;
    keep_ = Napi::Persistent(info[2].As<Napi::Object>());
  }
  Status start(Notify notify) {
    return backend_->tables->start_read_gradients(*gradients_->rows(), first_, count_, out_, notify, &pending_);
  }

 private:
  std::shared_ptr<KeptRows> gradients_;
  int64_t first_, count_;
  void* out_;
  Napi::ObjectReference keep_;
};

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
  const auto set = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("disposeGradients", dispose_gradients);
  set("addGradients", now<AddGradientsCall>);
  set("addGradientsAsync", later<AddGradientsCall>);
  set("readGradients", now<ReadGradientsCall>);
  set("readGradientsAsync", later<ReadGradientsCall>);
}

}  // namespace sampled_softmax
