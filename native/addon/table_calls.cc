// What is done with tables: filling, reading, writing and adding, at once or as a task; in the host's memory by the
// pool, and on a device by its backend.
#include <napi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/backends.h"
#include "addon/table_call.h"
#include "addon/table_values.h"
#include "addon/tables.h"
#include "core/initializers.h"
#include "core/table_rows.h"
#include "core/table_update.h"
#include "cpu/pool.h"

namespace sampled_softmax {
namespace {

void run_in_pool(int64_t count, void (*body)(void*, int64_t, int), void* context) {
  parallel_for(count, [&](int64_t index, int worker) { body(context, index, worker); });
}

// Where a new table is to be.
DeviceOfBackend read_device(Napi::Env env, napi_value number) {
  const DeviceOfBackend device = find_device(read_size(env, number, "device"));
  if (!device.backend) throw_internal(env, "device: no such device");
  return device;
}
bool in_host_memory(const DeviceOfBackend& device) { return device.backend == &cpu_backend(); }

// createTable(rows, dim, dtype, distribution, first, second, seed, device)
class CreateCall : public Call {
 public:
  CreateCall(const Napi::CallbackInfo& info, bool)
      : rows_(read_size(info.Env(), info[0], "rows")),
        dim_(read_size(info.Env(), info[1], "dim")),
        dtype_(static_cast<DType>(read_size(info.Env(), info[2], "dtype"))) {
    bool lossless = false;
    initializer_.distribution = static_cast<Distribution>(read_size(info.Env(), info[3], "distribution"));
    if (napi_get_value_double(info.Env(), info[4], &initializer_.first) != napi_ok ||
        napi_get_value_double(info.Env(), info[5], &initializer_.second) != napi_ok ||
        napi_get_value_bigint_uint64(info.Env(), info[6], &initializer_.seed, &lossless) != napi_ok || !lossless) {
      throw_internal(info.Env(), "createTable: wrong initializer");
    }
    device_ = read_device(info.Env(), info[7]);
    backend_ = device_.backend;
  }
  Status start(Notify notify) {
    if (!in_host_memory(device_)) {
      return Table::create_on(*backend_, device_.index, rows_, dim_, dtype_, initializer_, notify, table_, &pending_);
    }
    const Status status = Table::create(rows_, dim_, dtype_, table_);
    if (status.ok()) initialize(*table_, initializer_, run_in_pool, stop_);
    return status;
  }
  Napi::Value result(Napi::Env env) { return make_table_handle(env, std::move(table_)); }
  void request_abort() { stop_.store(true, std::memory_order_relaxed); }

 private:
  int64_t rows_, dim_;
  DType dtype_;
  Initializer initializer_;
  DeviceOfBackend device_;
  std::shared_ptr<Table> table_;
  std::atomic<bool> stop_{false};
};

// readRows(table, indices, out)
class ReadCall : public RowsCall {
 public:
  ReadCall(const Napi::CallbackInfo& info, bool) : RowsCall(info) {
    const bool float64 = table_->dtype() == DType::float64;
    dtype_ = float64 ? DType::float64 : DType::float32;
    out_ = read_array_of(info.Env(), info[2], "out", float64 ? napi_float64_array : napi_float32_array, elements());
    keep_ = Napi::Persistent(info[2].As<Napi::Object>());
  }
  Status start(Notify notify) {
    std::shared_lock<std::shared_mutex> lock(table_->mutex());
    if (on_device()) return device().start_read_rows(*on_device(), choice(), out_, dtype_, notify, &pending_);
    read_rows(*table_, rows_.data(), count(), out_, dtype_, run_in_pool);
    return {};
  }

 private:
  DType dtype_;
  void* out_;
  Napi::ObjectReference keep_;
};

// viewRows(table, start, count, out)
class ViewCall : public TableCall {
 public:
  ViewCall(const Napi::CallbackInfo& info, bool)
      : TableCall(info),
        start_(read_size(info.Env(), info[1], "start")),
        count_(read_size(info.Env(), info[2], "count")) {
    const TypedArray out = read_typed_array(info.Env(), info[3], "out");
    if (start_ > table_->rows() || count_ > table_->rows() - start_ ||
        out.bytes() != static_cast<size_t>(count_) * table_->row_bytes()) {
      throw_internal(info.Env(), "viewRows: wrong range or length of out");
    }
    out_ = out.data;
    keep_ = Napi::Persistent(info[3].As<Napi::Object>());
  }
  Status start(Notify notify) {
    std::shared_lock<std::shared_mutex> lock(table_->mutex());
    const RowChoice rows{nullptr, start_, count_};
    if (on_device()) return device().start_read_rows(*on_device(), rows, out_, table_->dtype(), notify, &pending_);
    copy_rows(*table_, start_, count_, out_, run_in_pool);
    return {};
  }

 private:
  int64_t start_, count_;
  void* out_;
  Napi::ObjectReference keep_;
};

// writeRows(table, indices, values)
class WriteCall : public RowsCall {
 public:
  WriteCall(const Napi::CallbackInfo& info, bool later)
      : RowsCall(info), values_(info.Env(), info[2], elements(), later) {}
  Status start(Notify notify) {
    std::unique_lock<std::shared_mutex> lock(table_->mutex());
    if (on_device()) {
      return device().start_write_rows(*on_device(), choice(), values_.data(), values_.dtype(), notify, &pending_);
    }
    write_rows(*table_, rows_.data(), count(), values_.data(), values_.dtype(), run_in_pool);
    return {};
  }

 private:
  ReadOnlyValues values_;
};

// addRows(table, indices, values, scale)
class AddCall : public RowsCall {
 public:
  AddCall(const Napi::CallbackInfo& info, bool later)
      : RowsCall(info), values_(info.Env(), info[2], elements(), later), scale_(info[3].As<Napi::Number>()) {}
  Status start(Notify notify) {
    std::unique_lock<std::shared_mutex> lock(table_->mutex());
    if (on_device()) {
      const RowsToAdd values{values_.data(), values_.dtype(), nullptr, 0};
      return device().start_add_rows(*on_device(), choice(), values, scale_, notify, &pending_);
    }
    return add_rows(*table_, rows_.data(), count(), values_.data(), values_.dtype(), scale_, run_in_pool);
  }

 private:
  ReadOnlyValues values_;
  double scale_;
};

// tableFromValues(rows, dim, dtype, values, device)
class FromValuesCall : public Call {
 public:
  FromValuesCall(const Napi::CallbackInfo& info, bool later)
      : rows_(read_size(info.Env(), info[0], "rows")),
        dim_(read_size(info.Env(), info[1], "dim")),
        dtype_(static_cast<DType>(read_size(info.Env(), info[2], "dtype"))),
        values_(info.Env(), info[3], static_cast<size_t>(rows_ * dim_), later),
        device_(read_device(info.Env(), info[4])) {
    backend_ = device_.backend;
  }
  Status start(Notify notify) {
    const RowChoice all{nullptr, 0, rows_};
    if (in_host_memory(device_)) {
      const Status status = Table::create(rows_, dim_, dtype_, table_);
      if (status.ok()) write_rows(*table_, nullptr, rows_, values_.data(), values_.dtype(), run_in_pool);
      return status;
    }
    PendingCall* created = nullptr;
    Status status = Table::create_on(*backend_, device_.index, rows_, dim_, dtype_, {}, {}, table_, &created);
    if (status.ok() && created) status = backend_->finish(created);
    if (!status.ok()) return status;
    return backend_->tables->start_write_rows(*table_->on_device(), all, values_.data(), values_.dtype(), notify,
                                              &pending_);
  }
  Napi::Value result(Napi::Env env) { return make_table_handle(env, std::move(table_)); }

 private:
  int64_t rows_, dim_;
  DType dtype_;
  ReadOnlyValues values_;
  DeviceOfBackend device_;
  std::shared_ptr<Table> table_;
};

Napi::Value first_repeat(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<int64_t> ids = read_ids(env, info[0], "ids");
  int64_t earlier, again;
  throw_if_error(env, find_repeat(ids.data(), static_cast<int64_t>(ids.size()), earlier, again));
  if (again < 0) return env.Null();
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, static_cast<double>(earlier));
  pair.Set(1u, static_cast<double>(again));
  return pair;
}

}  // namespace

void register_table_calls(Napi::Env env, Napi::Object exports) {
  const auto set = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("createTable", now<CreateCall>);
  set("createTableAsync", later<CreateCall>);
  set("tableFromValues", now<FromValuesCall>);
  set("tableFromValuesAsync", later<FromValuesCall>);
  set("readRows", now<ReadCall>);
  set("readRowsAsync", later<ReadCall>);
  set("viewRows", now<ViewCall>);
  set("viewRowsAsync", later<ViewCall>);
  set("writeRows", now<WriteCall>);
  set("writeRowsAsync", later<WriteCall>);
  set("addRows", now<AddCall>);
  set("addRowsAsync", later<AddCall>);
  set("firstRepeat", first_repeat);
}

}  // namespace sampled_softmax
