// The arguments of a loss (binding.d.ts, NativeLoss), as what native/core/problem.h has for them.
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
#include "core/small_array.h"
#include "core/table.h"

namespace sampled_softmax {

// The places of a call's arguments; the same list stands in binding.d.ts. Numbers first.
enum Argument {
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
  kNumbers,

  kWeights = kNumbers,
  kBiases,
  kInputs,
  kLabels,
  kSampled,
  kTrueExpectedCount,
  kSampledExpectedCount,
  kUpstream,
  kLosses,
  kInputGradients,
  kWeightGradients,
  kWeightRows,
  kBiasGradients,
  kBiasRows,
  kAbortFlag,
  kArguments
};

// A call's arguments, and whatever their pointers point to, kept alive for as long as the call runs.
class Arguments {
 public:
  // `asynchronous`: arrays must outlive the call that passed them.
  Arguments(const Napi::CallbackInfo& call, bool asynchronous) : env_(call.Env()), asynchronous_(asynchronous) {
    for (int i = 0; i < kArguments; ++i) {
      values_[i] = call[static_cast<size_t>(i)];
      if (i < kNumbers && napi_get_value_double(env_, values_[i], numbers_ + i) != napi_ok)
        fail(Argument(i), "not a number");
    }
  }

  double number(Argument which) const { return numbers_[which]; }
  int64_t size(Argument which) const {
    const double n = numbers_[which];
    if (!(n >= 0 && n < 9007199254740992.0) || n != static_cast<double>(static_cast<int64_t>(n))) {
      fail(which, "not a size");
    }
    return static_cast<int64_t>(n);
  }

  Ids ids(Argument which, size_t* length) {
    const TypedArray array = keep(which);
    *length = array.length;
    return ids_of(env_, array, name_of(which));
  }
  Counts counts(Argument which, size_t length) {
    const TypedArray array = keep(which);
    if (array.length != length) fail(which, "wrong length");
    return counts_of(env_, array, name_of(which));
  }
  // Null where the argument is null.
  const double* doubles(Argument which, size_t length) {
    napi_value value = values_[which];
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    return static_cast<const double*>(read_array_of(env_, value, name_of(which), napi_float64_array, length));
  }
  const std::atomic<int32_t>* flag(Argument which) {
    static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "an Int32Array element is read as an atomic");
    napi_value value = values_[which];
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    return static_cast<const std::atomic<int32_t>*>(read_array_of(env_, value, name_of(which), napi_int32_array, 1));
  }
  // An array to write; null where the argument is null.
  void* output(Argument which, bool float64, size_t length) {
    napi_value value = values_[which];
    if (is_nullish(env_, value)) return nullptr;
    hold(value);
    void* data = read_array_of(env_, value, name_of(which), float64 ? napi_float64_array : napi_float32_array, length);
    static double nothing;  // an empty array may have no memory; "wanted" is a pointer that is not null
    return data ? data : &nothing;
  }
  Shard inputs(int64_t width) { return shard(values_[kInputs], width, name_of(kInputs)); }

  ClassRows parameter(Argument which, int64_t rows, int64_t width) {
    ClassRows result;
    napi_value value = values_[which];
    if (is_nullish(env_, value)) return result;
    SmallArray<Shard, 1>& shards = which == kWeights ? weight_shards_ : bias_shards_;
    bool several = false;
    if (napi_is_array(env_, value, &several) == napi_ok && several) {
      Napi::Array list = Napi::Value(env_, value).As<Napi::Array>();
      shards.resize(list.Length());
      for (uint32_t i = 0; i < list.Length(); ++i) shards[i] = shard(list.Get(i), width, name_of(which));
    } else {
      shards.resize(1);
      shards[0] = shard(value, width, name_of(which));
    }
    const int32_t count = static_cast<int32_t>(shards.size());
    for (int32_t i = 0; i < count; ++i) {
      int64_t& own = shards[static_cast<size_t>(i)].rows;
      const int64_t wanted = shard_rows(i, rows, count);
      if (own == kAnyRows) own = wanted;
      if (own != wanted) fail(which, "wrong number of rows");
    }
    result.shards = shards.data();
    result.num_shards = count;
    result.partition = static_cast<Partition>(size(kPartition));
    result.rows = rows;
    result.width = width;
    return result;
  }

  // The array `values`, laid out as the plan `rows` says; `slots` rows where there is none.
  RowGradients gradients(Argument values, Argument rows, int64_t width, size_t slots, bool float64) {
    RowGradients result;
    result.num_rows = static_cast<int64_t>(slots);
    napi_value plan = values_[rows];
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
      if (result.values || !result.merged || !there.backend->tables) fail(values, "cannot be kept");
      kept_.push_back(std::make_shared<KeptRows>(*there.backend, there.index, result.num_rows, width, float64));
      result.kept = kept_.back()->place();
    }
    return result;
  }

  DeviceOfBackend device() const {
    const DeviceOfBackend found = find_device(size(kDevice));
    if (!found.backend) fail(kDevice, "no such device");
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

  static const char* name_of(Argument which) {
    static constexpr const char* kNames[] = {"batch",
                                             "dim",
                                             "numTrue",
                                             "numClasses",
                                             "float64",
                                             "reducedPrecision",
                                             "upstreamScale",
                                             "partition",
                                             "loss",
                                             "numerics",
                                             "hits",
                                             "subtractLogQ",
                                             "device",
                                             "kept",
                                             "weights",
                                             "biases",
                                             "inputs",
                                             "labels",
                                             "sampled",
                                             "trueExpectedCount",
                                             "sampledExpectedCount",
                                             "upstream",
                                             "losses",
                                             "inputGradients",
                                             "weightGradients",
                                             "weightRows",
                                             "biasGradients",
                                             "biasRows",
                                             "abortFlag"};
    static_assert(sizeof kNames / sizeof *kNames == kArguments, "one name for each");
    return kNames[which];
  }
  [[noreturn]] void fail(Argument which, const char* what) const {
    throw_internal(env_, std::string(name_of(which)) + ": " + what);
  }

  // Keeps an array from being collected; the facade has pinned its buffer where JavaScript could detach it.
  void hold(napi_value value) {
    if (asynchronous_) references_.push_back(Napi::Persistent(Napi::Value(env_, value).As<Napi::Object>()));
  }
  TypedArray keep(Argument which) { return keep(values_[which], name_of(which)); }
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
  const bool asynchronous_;
  double numbers_[kNumbers];
  napi_value values_[kArguments];  // only while the constructor of the task reads them
  std::vector<Napi::ObjectReference> references_;
  SmallArray<Shard, 1> weight_shards_, bias_shards_;
  std::vector<std::shared_ptr<Table>> tables_;
  std::vector<std::shared_ptr<KeptRows>> kept_;
};

}  // namespace sampled_softmax
