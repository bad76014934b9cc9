// The structs of a problem and its result: what a backend is asked to compute, for every loss of the package.
//
// Letters: B batch, D dim, S sampled classes, T true classes per row, C classes. Matrices are row-major.
// Everything here has been checked by the facade: sizes agree, every id is in [0, C), pointers are valid for the
// whole call. Values are not checked: NaN and infinities flow through.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/dtype.h"
#include "core/sharding.h"
#include "core/views.h"

namespace sampled_softmax {

// Rows that a backend keeps in the memory of a device, and rows of gradients that a loss left there: the backend's own.
struct DeviceTable;
struct DeviceRows;

struct Shard {
  const void* data;  // [rows, width]; null where the rows are a device's
  int64_t rows;
  DType dtype;
  DeviceTable* table = nullptr;  // of the problem's device; null: the rows are in the host's memory
};

// A parameter with one row per class: weights [C, D], or biases [C, 1]. Shard sizes are those of shard_rows().
struct ClassRows {
  const Shard* shards = nullptr;
  int32_t num_shards = 0;  // 0: absent (biases only), read as zeros
  Partition partition = Partition::mod;
  int64_t rows = 0;
  int64_t width = 0;
};

// Where the gradient of a ClassRows goes. A slot is one use of a class row: for the sampled losses slot i * T + j is
// label j of row i and slot B * T + s is sampled class s (TensorFlow's order); for the full softmax slot c is class c.
struct RowGradients {
  void* values = nullptr;       // [num_rows, width] in the arithmetic's dtype, every row written; null: not wanted, or
  DeviceRows** kept = nullptr;  // not null: they stay on the device, and finish() sets *kept, which is null before
  int64_t num_rows = 0;
  Ids slot_row;                  // [slots]: the output row of each slot; null: slot k goes to row k
  bool merged = false;           // several slots may share a row, or a row may have none: sums, zeros where no slot
  bool sampled_distinct = true;  // no two sampled slots share a row (they may share with labels)

  bool wanted() const { return values || kept; }
};

enum class Loss : int32_t {
  softmax = 0,   // logsumexp over the true and sampled logits, minus the mean true logit
  logistic = 1,  // sigmoid cross-entropy summed over all T + S columns, label 1/T on the true ones
};

enum class Numerics : int32_t {
  stable = 0,
  mindspore = 1,  // softmax only: -sum(y * log(p + 1e-20)), p rounded to the arithmetic's dtype first
};

enum class HitMask : int32_t {
  keep = 0,  // accidental hits stay among the negatives
  all = 1,   // every sampled copy of one of the row's own labels is left out of the maximum and the sum
  last = 2,  // of a repeated sampled id only the last copy is left out (TensorFlow)
};

struct SampledProblem {
  int32_t device = 0;  // among those of the backend
  int64_t batch = 0, dim = 0, num_sampled = 0, num_true = 1, num_classes = 0;
  Loss loss = Loss::softmax;
  Numerics numerics = Numerics::stable;
  HitMask hits = HitMask::all;
  bool subtract_log_q = true;
  bool float64 = false;            // arithmetic, and dtype of losses and gradients: float64 or float32
  bool reduced_precision = false;  // may multiply bfloat16 by bfloat16, probabilities rounded to it included

  ClassRows weights;
  ClassRows biases;                     // num_shards 0: none
  const void* inputs = nullptr;         // [B, D]
  DeviceTable* inputs_table = nullptr;  // not null: they are this table's rows, and `inputs` is null
  DType inputs_dtype = DType::float32;
  Ids labels;                     // [B, T]
  Ids sampled;                    // [S], repeats allowed
  Counts true_expected_count;     // [B, T]; may be null unless subtract_log_q
  Counts sampled_expected_count;  // [S]; as above

  // Gradients are of sum_i g_i * loss_i with g_i = upstream_scale * (upstream ? upstream[i] : 1).
  const double* upstream = nullptr;  // [B]
  double upstream_scale = 1;

  // Results; `losses` is always wanted, the gradients where not null.
  void* losses = nullptr;           // [B], not multiplied by g
  void* input_gradients = nullptr;  // [B, D]
  RowGradients weight_gradients;    // width D
  RowGradients bias_gradients;      // width 1

  const std::atomic<int32_t>* abort_flag = nullptr;  // read between blocks; non-zero: stop with Code::aborted
};

// The full softmax over all C classes, labels 1/T each (a label repeated in a row weighs as often as it occurs).
struct SoftmaxProblem {
  int32_t device = 0;
  int64_t batch = 0, dim = 0, num_true = 1, num_classes = 0;
  bool float64 = false;
  bool reduced_precision = false;

  ClassRows weights;
  ClassRows biases;
  const void* inputs = nullptr;
  DeviceTable* inputs_table = nullptr;
  DType inputs_dtype = DType::float32;
  Ids labels;  // [B, T]

  const double* upstream = nullptr;
  double upstream_scale = 1;

  void* losses = nullptr;
  void* input_gradients = nullptr;
  RowGradients weight_gradients;  // num_rows == C, slot c is class c, never merged
  RowGradients bias_gradients;

  const std::atomic<int32_t>* abort_flag = nullptr;
};

// The same as a sampled problem whose columns are all classes (`sampled` stays null): what a backend calls `full`.
static inline SampledProblem as_sampled(const SoftmaxProblem& problem) {
  SampledProblem p;
  p.device = problem.device;
  p.batch = problem.batch;
  p.dim = problem.dim;
  p.num_sampled = p.num_classes = problem.num_classes;
  p.num_true = problem.num_true;
  p.hits = HitMask::keep;
  p.subtract_log_q = false;
  p.float64 = problem.float64;
  p.reduced_precision = problem.reduced_precision;
  p.weights = problem.weights;
  p.biases = problem.biases;
  p.inputs = problem.inputs;
  p.inputs_table = problem.inputs_table;
  p.inputs_dtype = problem.inputs_dtype;
  p.labels = problem.labels;
  p.upstream = problem.upstream;
  p.upstream_scale = problem.upstream_scale;
  p.losses = problem.losses;
  p.input_gradients = problem.input_gradients;
  p.weight_gradients = problem.weight_gradients;
  p.bias_gradients = problem.bias_gradients;
  p.abort_flag = problem.abort_flag;
  return p;
}

}  // namespace sampled_softmax
