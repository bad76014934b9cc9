// What is done with tables: filling, reading, writing and adding, at once or as a task.
#include <napi.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/tables.h"
#include "addon/tasks.h"
#include "core/initializers.h"
#include "core/table_rows.h"
#include "core/table_update.h"
#include "cpu/pool.h"

namespace sampled_softmax {
namespace {

void run_in_pool(int64_t count, void (*body)(void*, int64_t, int), void* context) {
  parallel_for(count, [&](int64_t index, int worker) { body(context, index, worker); });
}

// A call is made of its arguments on the thread of its environment, and run there or on the coordinator.
// `later`: run() comes when the caller may have changed or transferred its arrays, so what it reads is copied.

template <class Call>
Napi::Value now(const Napi::CallbackInfo& info) {
  Call call(info, false);
  throw_if_error(info.Env(), call.run());
  return call.result(info.Env());
}

template <class Call>
class CallTask final : public Task {
 public:
  explicit CallTask(const Napi::CallbackInfo& info) : call_(info, true) {}
  Status start(Notify, bool*) override { return call_.run(); }
  Napi::Value result(Napi::Env env) override { return call_.result(env); }
  void request_abort() override { call_.request_abort(); }

 private:
  Call call_;
};

template <class Call>
Napi::Value later(const Napi::CallbackInfo& info) {
  return enqueue(info.Env(), std::make_unique<CallTask<Call>>(info));
}

struct Call {
  Napi::Value result(Napi::Env env) { return env.Undefined(); }
  void request_abort() {}
};

// createTable(rows, dim, dtype, distribution, first, second, seed)
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
  }
  Status run() {
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
  std::shared_ptr<Table> table_;
  std::atomic<bool> stop_{false};
};

// A table and rows of it.
class RowsCall : public Call {
 protected:
  explicit RowsCall(const Napi::CallbackInfo& info)
      : table_(read_table(info.Env(), info[0])), rows_(read_ids(info.Env(), info[1], "indices")) {}

  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  size_t elements() const { return rows_.size() * static_cast<size_t>(table_->dim()); }

  std::shared_ptr<Table> table_;
  std::vector<int64_t> rows_;
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
  Status run() {
    std::shared_lock<std::shared_mutex> lock(table_->mutex());
    read_rows(*table_, rows_.data(), count(), out_, dtype_, run_in_pool);
    return {};
  }

 private:
  DType dtype_;
  void* out_;
  Napi::ObjectReference keep_;
};

// viewRows(table, start, count, out)
class ViewCall : public Call {
 public:
  ViewCall(const Napi::CallbackInfo& info, bool)
      : table_(read_table(info.Env(), info[0])),
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
  Status run() {
    std::shared_lock<std::shared_mutex> lock(table_->mutex());
    copy_rows(*table_, start_, count_, out_, run_in_pool);
    return {};
  }

 private:
  std::shared_ptr<Table> table_;
  int64_t start_, count_;
  void* out_;
  Napi::ObjectReference keep_;
};

// Values of any dtype: the caller's memory, or a copy of it.
class ReadOnlyValues {
 public:
  ReadOnlyValues(Napi::Env env, napi_value value, size_t length, bool copied)
      : dtype_(static_cast<DType>(get_size(env, value, "dtype"))) {
    const TypedArray array = read_typed_array(env, get(env, value, "data"), "values");
    if (array.bytes() != length * size_of(dtype_)) throw_internal(env, "values: wrong length");
    data_ = array.data;
    if (!copied || array.bytes() == 0) return;
    copy_.reset(new char[array.bytes()]);
    std::memcpy(copy_.get(), array.data, array.bytes());
    data_ = copy_.get();
  }
  const void* data() const { return data_; }
  DType dtype() const { return dtype_; }

 private:
  DType dtype_;
  const void* data_;
  std::unique_ptr<char[]> copy_;
};

// writeRows(table, indices, values)
class WriteCall : public RowsCall {
 public:
  WriteCall(const Napi::CallbackInfo& info, bool later)
      : RowsCall(info), values_(info.Env(), info[2], elements(), later) {}
  Status run() {
    std::unique_lock<std::shared_mutex> lock(table_->mutex());
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
  Status run() {
    std::unique_lock<std::shared_mutex> lock(table_->mutex());
    return add_rows(*table_, rows_.data(), count(), values_.data(), values_.dtype(), scale_, run_in_pool);
  }

 private:
  ReadOnlyValues values_;
  double scale_;
};

Napi::Value table_from_values(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int64_t rows = read_size(env, info[0], "rows"), dim = read_size(env, info[1], "dim");
  std::shared_ptr<Table> table;
  throw_if_error(env, Table::create(rows, dim, static_cast<DType>(read_size(env, info[2], "dtype")), table));
  const ReadOnlyValues values(env, info[3], static_cast<size_t>(rows * dim), false);
  write_rows(*table, nullptr, rows, values.data(), values.dtype(), run_in_pool);
  return make_table_handle(env, std::move(table));
}

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
  set("tableFromValues", table_from_values);
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
