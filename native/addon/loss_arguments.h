// The arguments of a loss (binding.d.ts, NativeLoss) by name, as what native/core/problem.h has for them.
#pragma once

#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/backends.h"
#include "addon/table_gradients.h"
#include "addon/tables.h"
#include "core/problem.h"
#include "core/table.h"

namespace sampled_softmax {

// The places in NativeLoss.numbers; the same list stands in lib/losses/call.ts.
enum Number {
  kBatch,
  kDim,
  kNumTrue,
  kNumClasses,
  kFloat64,
  kReducedPrecision,
  kUpstreamScale,
  kPartition,
  kLoss,
  kNumerics,
  kHits,
  kSubtractLogQ,
  kDevice,  // 0: the CPU, n + 1: CUDA's device n
  kKept,    // the gradients of weights and biases stay on the device
  kNumbers
};

// A call's arguments by name, and whatever their pointers point to, kept alive for as long as the call runs.
class Arguments {
 public:
  // `asynchronous`: arrays must outlive the call that passed them.
  Arguments(Napi::Env env, napi_value call, bool asynchronous) : env_(env), call_(call), asynchronous_(asynchronous) {
    const TypedArray numbers = read_typed_array(env, get(env, call, "numbers"), "numbers");
    if (numbers.type != napi_float64_array || numbers.length != kNumbers) throw_internal(env, "numbers");
    std::copy_n(static_cast<const double*>(numbers.data), +kNumbers, numbers_);
  }

  double number(Number which) const { return numbers_[which]; }
  int64_t size(Number which) const {
    const double n = numbers_[which];
    if (!(n >= 0 && n < 9007199254740992.0) || n != static_cast<double>(static_cast<int64_t>(n))) {
      throw_internal(env_, "numbers[" + std::to_string(which) + "]: not a size");
    }
    return static_cast<int64_t>(n);
  }

  Ids ids(const char* name, size_t* length) {
    const TypedArray array = keep(get(env_, call_, name), name);
    *length = array.length;
    return ids_of(env_, array, name);
  }
  Counts counts(const char* name, size_t length) {
    const TypedArray array = keep(get(env_, call_, name), name);
    if (array.length != length) throw_internal(env_, std::string(name) + ": wrong length");
    return counts_of(env_, array, name);
  }
  // Null where the argument is null.
  const double* doubles(const char* name, size_t length) {
    napi_value value = get(env_, call_, name);
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    return static_cast<const double*>(read_array_of(env_, value, name, napi_float64_array, length));
  }
  const std::atomic<int32_t>* flag(const char* name) {
    static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "an Int32Array element is read as an atomic");
    napi_value value = get(env_, call_, name);
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    return static_cast<const std::atomic<int32_t>*>(read_array_of(env_, value, name, napi_int32_array, 1));
  }
  // An array to write; null where the argument is null.
  void* output(const char* name, bool float64, size_t length) {
    napi_value value = get(env_, call_, name);
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    void* data = read_array_of(env_, value, name, float64 ? napi_float64_array : napi_float32_array, length);
    static double nothing;  // an empty array may have no memory; "wanted" is a pointer that is not null
    return data ? data : &nothing;
  }
  Shard inputs(int64_t width) { return shard(get(env_, call_, "inputs"), width, "inputs"); }

  ClassRows parameter(const char* name, int64_t rows, int64_t width) {
    ClassRows result;
    napi_value value = get(env_, call_, name);
    if (is_nullish(env_, value)) return result;
    std::vector<Shard> shards;
    bool several = false;
    if (napi_is_array(env_, value, &several) == napi_ok && several) {
      Napi::Array list = Napi::Value(env_, value).As<Napi::Array>();
      for (uint32_t i = 0; i < list.Length(); ++i) shards.push_back(shard(list.Get(i), width, name));
    } else {
      shards.push_back(shard(value, width, name));
    }
    const int32_t count = static_cast<int32_t>(shards.size());
    for (int32_t i = 0; i < count; ++i) {
      int64_t& own = shards[static_cast<size_t>(i)].rows;
      const int64_t wanted = shard_rows(i, rows, count);
      if (own == kAnyRows) own = wanted;
      if (own != wanted) throw_internal(env_, std::string(name) + ": wrong number of rows");
    }
    shards_.push_back(std::move(shards));
    result.shards = shards_.back().data();
    result.num_shards = count;
    result.partition = static_cast<Partition>(size(kPartition));
    result.rows = rows;
    result.width = width;
    return result;
  }

  // The array `values`, laid out as the plan `rows` says; `slots` rows where there is none.
  RowGradients gradients(const char* values, const char* rows, int64_t width, size_t slots, bool float64) {
    RowGradients result;
    result.num_rows = static_cast<int64_t>(slots);
    napi_value plan = get(env_, call_, rows);
    if (!is_nullish(env_, plan)) {
      result.num_rows = get_size(env_, plan, "numRows");
      result.merged = get_bool(env_, plan, "merged");
      result.sampled_distinct = get_bool(env_, plan, "sampledDistinct");
      napi_value slot_row = get(env_, plan, "slotRow");
      if (!is_nullish(env_, slot_row)) {
        const TypedArray array = keep(slot_row, "slotRow");
        if (array.length != slots) throw_internal(env_, "slotRow: wrong length");
        result.slot_row = ids_of(env_, array, "slotRow");
      }
    }
    result.values = output(values, float64, static_cast<size_t>(result.num_rows * width));
    if (size(kKept) && !is_nullish(env_, plan)) {
      const DeviceOfBackend there = device();
      if (result.values || !result.merged || !there.backend->tables) throw_internal(env_, "gradients: cannot be kept");
      kept_.push_back(std::make_shared<KeptRows>(*there.backend, there.index, result.num_rows, width, float64));
      result.kept = kept_.back()->place();
    }
    return result;
  }

  DeviceOfBackend device() const {
    const DeviceOfBackend found = find_device(size(kDevice));
    if (!found.backend) throw_internal(env_, "device: no such device");
    return found;
  }

  // What stays on the device of the gradients: of the weights, then of the biases.
  const std::vector<std::shared_ptr<KeptRows>>& kept() const { return kept_; }

  // Readers of the tables for as long as a call reads them; in one order for all calls, so that two of them and a
  // writer that waits cannot hold each other up.
  std::vector<std::shared_lock<std::shared_mutex>> lock_tables() {
    std::sort(tables_.begin(), tables_.end());
    std::vector<std::shared_lock<std::shared_mutex>> locks;
    for (const auto& table : tables_) locks.emplace_back(table->mutex());
    return locks;
  }

 private:
  static constexpr int64_t kAnyRows = -1;  // rows of no width: the array cannot tell how many

  // Keeps an array from being collected; the facade has pinned its buffer where JavaScript could detach it.
  void hold(napi_value value) {
    if (asynchronous_) references_.push_back(Napi::Persistent(Napi::Value(env_, value).As<Napi::Object>()));
  }
  TypedArray keep(napi_value value, const char* name) {
    hold(value);
    return read_typed_array(env_, value, name);
  }

  // Values, { data, dtype }, or a table.
  Shard shard(napi_value value, int64_t width, const char* name) {
    bool plain = false;
    if (napi_is_typedarray(env_, value, &plain) == napi_ok && plain) {
      const TypedArray array = keep(value, name);
      if (array.type != napi_float32_array && array.type != napi_float64_array) throw_internal(env_, name);
      return rows_of(array, array.type == napi_float64_array ? DType::float64 : DType::float32, width, name);
    }
    if (std::shared_ptr<Table> table = unwrap_table(env_, value)) {
      if (table->dim() != width) throw_internal(env_, std::string(name) + ": table of another dim");
      if (table->on_device() && table->device() + 1 != size(kDevice)) {
        throw_internal(env_, std::string(name) + ": table on another device");
      }
      Shard result{table->data(), table->rows(), table->dtype(), table->on_device()};
      if (std::find(tables_.begin(), tables_.end(), table) == tables_.end()) tables_.push_back(std::move(table));
      return result;
    }
    const TypedArray array = keep(get(env_, value, "data"), name);
    return rows_of(array, static_cast<DType>(get_size(env_, value, "dtype")), width, name);
  }
  Shard rows_of(const TypedArray& array, DType dtype, int64_t width, const char* name) const {
    const size_t elements = array.bytes() / size_of(dtype);
    if (width && elements % static_cast<size_t>(width)) throw_internal(env_, std::string(name) + ": not whole rows");
    return {array.data, width ? static_cast<int64_t>(elements) / width : kAnyRows, dtype, nullptr};
  }

  Napi::Env env_;
  napi_value call_;  // only while the constructor of the task reads it
  const bool asynchronous_;
  double numbers_[kNumbers];
  std::vector<Napi::ObjectReference> references_;
  std::vector<std::vector<Shard>> shards_;
  std::vector<std::shared_ptr<Table>> tables_;
  std::vector<std::shared_ptr<KeptRows>> kept_;
};

}  // namespace sampled_softmax
