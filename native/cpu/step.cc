#include "cpu/step.h"

#include <algorithm>

#include "cpu/dispatch.h"

namespace sampled_softmax {
namespace {

template <class T>
const Kernels<T>& kernels_for();
template <>
const Kernels<float>& kernels_for() {
  return kernels().float32;
}
template <>
const Kernels<double>& kernels_for() {
  return kernels().float64;
}

}  // namespace

template <class T>
Step<T>::Step(const SampledProblem& problem, bool is_full, int num_threads)
    : p(problem),
      full(is_full),
      k(kernels_for<T>()),
      MR(k.columns_per_tile),
      NR(k.rows_per_strip),
      padded_dim((p.dim + NR - 1) / NR * NR),
      wants_gradients(p.input_gradients || p.weight_gradients.values || p.bias_gradients.values),
      threads(num_threads),
      hits(p) {}

template <class T>
void Step<T>::plan_rows(int64_t strips_at_hand, int64_t columns_at_hand, bool at_once) {
  const int64_t rows = strips_at_hand * NR;
  scratch.plan(max, rows);
  scratch.plan(sum, rows);
  scratch.plan(scale, rows);
  const int64_t labels = p.batch * p.num_true, own = threads * kMostTogether * NR * p.num_true;
  const bool outlast = full || p.weight_gradients.merged || p.bias_gradients.merged;
  const int64_t at_hand = std::min(labels, kMostUses + rows * p.num_true);
  const bool its_own = at_once && !outlast && own < at_hand;
  scratch.plan(its_own ? worker_true_terms : all_true_terms, its_own ? own : at_hand);
  if (p.bias_gradients.values) scratch.plan(column_bias_gradients, columns_at_hand);
  const int64_t longest = std::min(p.dim, kLongestRow);
  worker_rows_size = std::max(NR + 1, MR) * longest;
  const bool merges = p.weight_gradients.values && (p.weight_gradients.merged || full);
  if (merges || (p.input_gradients && p.num_true > kFewLabels)) scratch.plan(worker_sums, threads * longest);
  scratch.plan(worker_rows, threads * worker_rows_size);
}

template struct Step<float>;
template struct Step<double>;

}  // namespace sampled_softmax
