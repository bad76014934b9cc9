// The losses: a JavaScript call (binding.d.ts, NativeSampledLoss) becomes a problem of native/core/problem.h, runs
// here or as a task, and fills the arrays that the facade allocated.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/register.h"
#include "addon/tables.h"
#include "addon/tasks.h"
#include "core/backend.h"
#include "core/row_plan.h"
#include "core/table.h"

namespace sampled_softmax {
namespace {

// Everything that a problem's pointers point to, kept alive for as long as the call runs.
class Holdings {
 public:
  // `asynchronous`: arrays must outlive the call that passed them.
  Holdings(Napi::Env env, bool asynchronous) : env_(env), asynchronous_(asynchronous) {}

  // Keeps the typed array from being collected; the facade has pinned its buffer where JavaScript could detach it.
  TypedArray keep(napi_value value, const char* name) {
    TypedArray array = read_typed_array(env_, value, name);
    hold(value);
    return array;
  }
  void* keep_array(napi_value value, const char* name, napi_typedarray_type type, size_t length) {
    void* data = read_array_of(env_, value, name, type, length);
    hold(value);
    return data;
  }
  const int64_t* ids(napi_value value, const char* name) {
    ids_.push_back(read_ids(env_, value, name));
    return ids_.back().data();
  }
  size_t last_id_count() const { return ids_.back().size(); }
  const double* doubles(napi_value value, const char* name, size_t length) {
    doubles_.push_back(read_doubles(env_, value, name, length));
    return doubles_.back().data();
  }

  // One shard of a parameter: { data, dtype } or a table.
  Shard shard(napi_value value, int64_t width, const char* name) {
    if (std::shared_ptr<Table> table = unwrap_table(env_, value)) {
      if (table->dim() != width) throw_internal(env_, std::string(name) + ": table of another dim");
      Shard result{table->data(), table->rows(), table->dtype()};
      if (std::find(tables_.begin(), tables_.end(), table) == tables_.end()) tables_.push_back(std::move(table));
      return result;
    }
    TypedArray array = keep(get(env_, value, "data"), name);
    const auto dtype = static_cast<DType>(get_size(env_, value, "dtype"));
    const size_t elements = array.bytes() / size_of(dtype);
    if (width && elements % static_cast<size_t>(width)) throw_internal(env_, std::string(name) + ": not whole rows");
    return {array.data, width ? static_cast<int64_t>(elements) / width : kAnyRows, dtype};
  }

  ClassRows parameter(napi_value value, int64_t rows, const char* name) {
    ClassRows result;
    if (is_nullish(env_, value)) return result;
    result.width = get_size(env_, value, "width");
    result.partition = static_cast<Partition>(get_size(env_, value, "partition"));
    result.rows = rows;
    Napi::Array list = Napi::Value(env_, get(env_, value, "shards")).As<Napi::Array>();
    std::vector<Shard> shards;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      shards.push_back(shard(list.Get(i), result.width, name));
      const int64_t wanted = shard_rows(static_cast<int32_t>(i), rows, static_cast<int32_t>(list.Length()));
      if (shards.back().rows == kAnyRows) shards.back().rows = wanted;
      if (shards.back().rows != wanted) throw_internal(env_, std::string(name) + ": wrong number of rows");
    }
    shards_.push_back(std::move(shards));
    result.shards = shards_.back().data();
    result.num_shards = static_cast<int32_t>(list.Length());
    return result;
  }

  RowGradients gradients(napi_value value, int64_t width, size_t slots, bool float64, const char* name) {
    RowGradients result;
    if (is_nullish(env_, value)) return result;
    napi_value plan = get(env_, value, "plan");
    result.num_rows = get_size(env_, plan, "numRows");
    result.merged = get_bool(env_, plan, "merged");
    result.sampled_distinct = get_bool(env_, plan, "sampledDistinct");
    napi_value slot_row = get(env_, plan, "slotRow");
    if (!is_nullish(env_, slot_row)) {
      result.slot_row = static_cast<const int64_t*>(keep_array(slot_row, "slotRow", napi_bigint64_array, slots));
    }
    result.values = outputs(get(env_, value, "values"), name, float64, static_cast<size_t>(result.num_rows * width));
    return result;
  }

  void* outputs(napi_value value, const char* name, bool float64, size_t length) {
    void* data = keep_array(value, name, float64 ? napi_float64_array : napi_float32_array, length);
    // An empty array may have no memory; "wanted" is a pointer that is not null.
    static double nothing;
    return data ? data : &nothing;
  }

  // Readers of the tables for as long as a call runs; in one order for all calls, so that two of them and a writer that
  // waits cannot hold each other up.
  std::vector<std::shared_lock<std::shared_mutex>> lock_tables() {
    std::sort(tables_.begin(), tables_.end());
    std::vector<std::shared_lock<std::shared_mutex>> locks;
    for (const auto& table : tables_) locks.emplace_back(table->mutex());
    return locks;
  }

 private:
  static constexpr int64_t kAnyRows = -1;  // rows of no width: the array cannot tell how many

  void hold(napi_value value) {
    if (asynchronous_) references_.push_back(Napi::Persistent(Napi::Value(env_, value).As<Napi::Object>()));
  }

  Napi::Env env_;
  const bool asynchronous_;
  std::vector<Napi::ObjectReference> references_;
  std::vector<std::vector<int64_t>> ids_;
  std::vector<std::vector<double>> doubles_;
  std::vector<std::vector<Shard>> shards_;
  std::vector<std::shared_ptr<Table>> tables_;
};

// What the two kinds of problem have in common.
template <class Problem>
void read_common(Napi::Env env, napi_value call, Holdings& held, Problem& p, size_t sampled_slots) {
  p.batch = get_size(env, call, "batch");
  p.dim = get_size(env, call, "dim");
  p.num_true = get_size(env, call, "numTrue");
  p.num_classes = get_size(env, call, "numClasses");
  p.float64 = get_bool(env, call, "float64");
  p.reduced_precision = get_bool(env, call, "reducedPrecision");
  p.weights = held.parameter(get(env, call, "weights"), p.num_classes, "weights");
  p.biases = held.parameter(get(env, call, "biases"), p.num_classes, "biases");
  Shard inputs = held.shard(get(env, call, "inputs"), p.dim, "inputs");
  if (p.dim && inputs.rows != p.batch) throw_internal(env, "inputs: wrong number of rows");
  p.inputs = inputs.data;
  p.inputs_dtype = inputs.dtype;
  p.labels = held.ids(get(env, call, "labels"), "labels");
  const size_t label_slots = static_cast<size_t>(p.batch * p.num_true);
  if (held.last_id_count() != label_slots) throw_internal(env, "labels: wrong length");

  napi_value upstream = get(env, call, "upstream");
  if (!is_nullish(env, upstream)) p.upstream = held.doubles(upstream, "upstream", static_cast<size_t>(p.batch));
  p.upstream_scale = get_double(env, call, "upstreamScale");

  const size_t slots = sampled_slots == SIZE_MAX ? static_cast<size_t>(p.num_classes) : label_slots + sampled_slots;
  p.losses = held.outputs(get(env, call, "losses"), "losses", p.float64, static_cast<size_t>(p.batch));
  napi_value input_gradients = get(env, call, "inputGradients");
  if (!is_nullish(env, input_gradients)) {
    p.input_gradients =
        held.outputs(input_gradients, "inputGradients", p.float64, static_cast<size_t>(p.batch * p.dim));
  }
  p.weight_gradients = held.gradients(get(env, call, "weightGradients"), p.dim, slots, p.float64, "weightGradients");
  p.bias_gradients = held.gradients(get(env, call, "biasGradients"), 1, slots, p.float64, "biasGradients");
  napi_value abort_flag = get(env, call, "abortFlag");
  if (!is_nullish(env, abort_flag)) {
    static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "an Int32Array element is read as an atomic");
    p.abort_flag =
        static_cast<const std::atomic<int32_t>*>(held.keep_array(abort_flag, "abortFlag", napi_int32_array, 1));
  }
}

// A loss ready to run: the problem and all that it points to.
template <class Problem, Status (*Backend::*function)(const Problem&)>
class LossTask final : public Task {
 public:
  LossTask(Napi::Env env, napi_value call, bool asynchronous) : held_(env, asynchronous) { read(env, call); }

  Status run() override {
    auto locks = held_.lock_tables();
    return (cpu_backend().*function)(problem_);
  }
  void request_abort() override {
    const_cast<std::atomic<int32_t>*>(problem_.abort_flag)->store(1, std::memory_order_relaxed);
  }

 private:
  void read(Napi::Env env, napi_value call);

  Holdings held_;
  Problem problem_;
  std::atomic<int32_t> own_abort_{0};
};

using SampledTask = LossTask<SampledProblem, &Backend::sampled_loss>;
using SoftmaxTask = LossTask<SoftmaxProblem, &Backend::softmax_loss>;

template <>
void SampledTask::read(Napi::Env env, napi_value call) {
  problem_.loss = static_cast<Loss>(get_size(env, call, "loss"));
  problem_.numerics = static_cast<Numerics>(get_size(env, call, "numerics"));
  problem_.hits = static_cast<HitMask>(get_size(env, call, "hits"));
  problem_.subtract_log_q = get_bool(env, call, "subtractLogQ");
  problem_.sampled = held_.ids(get(env, call, "sampled"), "sampled");
  const size_t sampled = held_.last_id_count();
  problem_.num_sampled = static_cast<int64_t>(sampled);
  read_common(env, get(env, call, "common"), held_, problem_, sampled);
  if (problem_.subtract_log_q) {
    problem_.true_expected_count = held_.doubles(get(env, call, "trueExpectedCount"), "trueExpectedCount",
                                                 static_cast<size_t>(problem_.batch * problem_.num_true));
    problem_.sampled_expected_count =
        held_.doubles(get(env, call, "sampledExpectedCount"), "sampledExpectedCount", sampled);
  }
  if (!problem_.abort_flag) problem_.abort_flag = &own_abort_;
}

template <>
void SoftmaxTask::read(Napi::Env env, napi_value call) {
  read_common(env, call, held_, problem_, SIZE_MAX);
  if (!problem_.abort_flag) problem_.abort_flag = &own_abort_;
}

template <class LossTask>
Napi::Value run_now(const Napi::CallbackInfo& call) {
  LossTask task(call.Env(), call[0], false);
  throw_if_error(call.Env(), task.run());
  return call.Env().Undefined();
}

template <class LossTask>
Napi::Value run_later(const Napi::CallbackInfo& call) {
  return enqueue(call.Env(), std::make_unique<LossTask>(call.Env(), call[0], true));
}

Napi::Value lay_out_rows(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  std::vector<int64_t> ids = read_ids(env, call[0], "labels");
  const size_t labels = ids.size();
  std::vector<int64_t> sampled = read_ids(env, call[1], "sampled");
  ids.insert(ids.end(), sampled.begin(), sampled.end());
  const int64_t rows = read_size(env, call[2], "rows");
  RowPlan plan =
      plan_rows(ids.data(), ids.size(), labels, rows, static_cast<int32_t>(read_size(env, call[3], "shards")),
                static_cast<Partition>(read_size(env, call[4], "partition")),
                static_cast<GradientMode>(read_size(env, call[5], "mode")));
  Napi::Object result = Napi::Object::New(env);
  result.Set("indices", make_ids(env, plan.indices.data(), plan.indices.size(), rows > INT32_MAX));
  Napi::Float64Array starts = Napi::Float64Array::New(env, plan.shard_start.size());
  std::copy(plan.shard_start.begin(), plan.shard_start.end(), starts.Data());
  result.Set("shardStart", starts);
  result.Set("numRows", static_cast<double>(plan.num_rows));
  result.Set("slotRow",
             plan.slot_row.empty() ? env.Null() : make_ids(env, plan.slot_row.data(), plan.slot_row.size(), true));
  result.Set("merged", plan.merged);
  result.Set("sampledDistinct", plan.sampled_distinct);
  return result;
}

}  // namespace

void register_losses(Napi::Env env, Napi::Object exports) {
  exports.Set("sampledLoss", Napi::Function::New(env, run_now<SampledTask>, "sampledLoss"));
  exports.Set("sampledLossAsync", Napi::Function::New(env, run_later<SampledTask>, "sampledLossAsync"));
  exports.Set("softmaxLoss", Napi::Function::New(env, run_now<SoftmaxTask>, "softmaxLoss"));
  exports.Set("softmaxLossAsync", Napi::Function::New(env, run_later<SoftmaxTask>, "softmaxLossAsync"));
  exports.Set("planRows", Napi::Function::New(env, lay_out_rows, "planRows"));
}

}  // namespace sampled_softmax
