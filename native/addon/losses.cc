// The losses: a JavaScript call (binding.d.ts, NativeLoss) becomes a problem of native/core/problem.h, runs here or as
// a task, and fills the arrays that the facade allocated.
#include <napi.h>

#include <algorithm>
#include <memory>

#include "addon/arguments.h"
#include "addon/loss_arguments.h"
#include "addon/register.h"
#include "addon/table_gradients.h"
#include "addon/tasks.h"
#include "core/backend.h"
#include "core/row_plan.h"

namespace sampled_softmax {
namespace {

// What the two kinds of problem have in common; `columns` are the slots beyond the labels'.
template <class Problem>
void read_common(Napi::Env env, Arguments& arguments, Problem& p, size_t columns, bool full) {
  p.batch = arguments.size(kBatch);
  p.dim = arguments.size(kDim);
  p.num_true = arguments.size(kNumTrue);
  p.num_classes = arguments.size(kNumClasses);
  p.float64 = arguments.size(kFloat64) != 0;
  p.reduced_precision = arguments.size(kReducedPrecision) != 0;
  p.upstream_scale = arguments.number(kUpstreamScale);
  p.weights = arguments.parameter(kWeights, p.num_classes, p.dim);
  p.biases = arguments.parameter(kBiases, p.num_classes, 1);
  const Shard inputs = arguments.inputs(p.dim);
  if (p.dim && inputs.rows != p.batch) throw_internal(env, "inputs: wrong number of rows");
  p.inputs = inputs.data;
  p.inputs_table = inputs.table;
  p.inputs_dtype = inputs.dtype;
  size_t labels = 0;
  p.labels = arguments.ids(kLabels, &labels);
  if (labels != static_cast<size_t>(p.batch * p.num_true)) throw_internal(env, "labels: wrong length");
  p.upstream = arguments.doubles(kUpstream, static_cast<size_t>(p.batch));
  p.losses = arguments.output(kLosses, p.float64, static_cast<size_t>(p.batch));
  if (!p.losses) throw_internal(env, "losses: missing");
  p.input_gradients = arguments.output(kInputGradients, p.float64, static_cast<size_t>(p.batch * p.dim));
  const size_t slots = full ? static_cast<size_t>(p.num_classes) : labels + columns;
  p.weight_gradients = arguments.gradients(kWeightGradients, kWeightRows, p.dim, slots, p.float64);
  p.bias_gradients = arguments.gradients(kBiasGradients, kBiasRows, 1, slots, p.float64);
  p.abort_flag = arguments.flag(kAbortFlag);
}

void read_problem(Napi::Env env, Arguments& arguments, SampledProblem& p) {
  p.loss = static_cast<Loss>(arguments.size(kLoss));
  p.numerics = static_cast<Numerics>(arguments.size(kNumerics));
  p.hits = static_cast<HitMask>(arguments.size(kHits));
  p.subtract_log_q = arguments.size(kSubtractLogQ) != 0;
  size_t sampled = 0;
  p.sampled = arguments.ids(kSampled, &sampled);
  p.num_sampled = static_cast<int64_t>(sampled);
  read_common(env, arguments, p, sampled, false);
  for (int64_t c = 0; c < p.num_sampled; ++c) {
    if (p.sampled[c] < 0 || p.sampled[c] >= p.num_classes) throw_internal(env, "sampled: out of range");
  }
  if (!p.subtract_log_q) return;
  p.true_expected_count = arguments.counts(kTrueExpectedCount, static_cast<size_t>(p.batch * p.num_true));
  p.sampled_expected_count = arguments.counts(kSampledExpectedCount, sampled);
}

void read_problem(Napi::Env env, Arguments& arguments, SoftmaxProblem& p) { read_common(env, arguments, p, 0, true); }

// A loss ready to run: the problem and all that it points to.
template <class Problem, Status (*Backend::*start_loss)(const Problem&, Notify, PendingCall**)>
class LossTask final : public Task {
 public:
  LossTask(const Napi::CallbackInfo& call, bool asynchronous) : arguments_(call, asynchronous) {
    read_problem(call.Env(), arguments_, problem_);
    const DeviceOfBackend device = arguments_.device();
    backend_ = device.backend;
    problem_.device = device.index;
    if (!problem_.abort_flag) problem_.abort_flag = &own_abort_;
  }

  Status start(Notify notify, bool* started) override {
    // Backends read tables during the start alone.
    auto locks = arguments_.lock_tables();
    const Status status = (backend_->*start_loss)(problem_, notify, &pending_);
    *started = status.ok() && pending_;
    return status;
  }
  Status finish() override { return backend_->finish(pending_); }
  // Handles of the gradients that stayed on the device.
  Napi::Value result(Napi::Env env) override {
    if (arguments_.kept().empty()) return env.Undefined();
    Napi::Array handles = Napi::Array::New(env);
    for (const auto& rows : arguments_.kept()) handles.Set(handles.Length(), make_gradients_handle(env, rows));
    return handles;
  }
  void request_abort() override {
    const_cast<std::atomic<int32_t>*>(problem_.abort_flag)->store(1, std::memory_order_relaxed);
  }

 private:
  Arguments arguments_;
  Problem problem_;
  const Backend* backend_;
  PendingCall* pending_ = nullptr;
  std::atomic<int32_t> own_abort_{0};
};

using SampledTask = LossTask<SampledProblem, &Backend::start_sampled_loss>;
using SoftmaxTask = LossTask<SoftmaxProblem, &Backend::start_softmax_loss>;

template <class LossTask>
Napi::Value run_now(const Napi::CallbackInfo& call) {
  LossTask task(call, false);
  bool started = false;
  Status status = task.start({}, &started);
  if (started) status = task.finish();
  throw_if_error(call.Env(), status);
  return task.result(call.Env());
}

template <class LossTask>
Napi::Value run_later(const Napi::CallbackInfo& call) {
  return enqueue(call.Env(), std::make_unique<LossTask>(call, true));
}

Napi::Value lay_out_rows(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const TypedArray labels = read_typed_array(env, call[0], "labels");
  const int64_t rows = read_size(env, call[2], "rows");
  Ids sampled;  // all classes
  size_t num_sampled = static_cast<size_t>(rows);
  if (!is_nullish(env, call[1])) {
    const TypedArray array = read_typed_array(env, call[1], "sampled");
    sampled = ids_of(env, array, "sampled");
    num_sampled = array.length;
  }
  Napi::Object result = Napi::Object::New(env);
  // Straight into JavaScript's arrays: those of millions of slots are not to be there twice.
  const auto make = [&](const char* name, size_t size, bool wide) {
    void* data = nullptr;
    result.Set(name, new_ids(env, size, wide, &data));
    return IdVector(size, wide, data);
  };
  const RowPlan plan = plan_rows(ids_of(env, labels, "labels"), labels.length, sampled, num_sampled, rows,
                                 static_cast<int32_t>(read_size(env, call[3], "shards")),
                                 static_cast<Partition>(read_size(env, call[4], "partition")),
                                 static_cast<GradientMode>(read_size(env, call[5], "mode")), make);
  Napi::Float64Array starts = Napi::Float64Array::New(env, plan.shard_start.size());
  std::copy(plan.shard_start.begin(), plan.shard_start.end(), starts.Data());
  result.Set("shardStart", starts);
  result.Set("numRows", static_cast<double>(plan.num_rows));
  if (!plan.slot_row.size()) result.Set("slotRow", env.Null());
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
