// The arrays of one loss on a device, and how the host fills those that go over.
#pragma once

#include <cstdint>
#include <vector>

#include "core/problem.h"
#include "core/views.h"
#include "cuda/class_arrays.h"
#include "cuda/kernels/kernels.h"
#include "cuda/layout.h"

namespace sampled_softmax {
namespace cuda {

// Slots in the order of their rows (kernels.h, Segments), as the host makes them.
struct SlotOrder {
  IdVector slots;               // sorted by row
  std::vector<int64_t> starts;  // of the segments, and the end
  std::vector<int64_t> rows;    // of the segments
};

struct MirroredSegments {
  Mirrored<int64_t> starts, slots, rows;
  int64_t count = 0;
  Segments segments(int64_t labels) const { return {count, starts.device, slots.device, rows.device, labels}; }
};

// As kernels.h: rows of E, and arithmetic in T.
template <class T, class E>
class LossArrays {
 public:
  LossArrays(const SampledProblem& problem, bool full);

  const SampledProblem& p;
  const bool full;
  const int64_t labels;  // B * T
  const int64_t pitch;   // of inputs and class rows
  const bool wants_gradients;
  const bool merges;         // rows of class gradients have slots beyond one column's
  const bool columns_apart;  // columns' gradients are summed into rows of their own first: two may share an output row

  ClassArrays<E> classes;

  // Uploaded.
  Mirrored<E> inputs;  // [B][pitch]; or the rows of a table, or copied from one
  Mirrored<double> column_count, label_count;
  Mirrored<int64_t> hit_keys, hit_labels;
  Mirrored<double> upstream;
  Mirrored<int64_t> weight_rows, bias_rows;  // the output row of each slot, where it is not the slot itself
  MirroredSegments weight_segments, bias_segments;

  // Results. Gradients of classes that stay on the device have memory of their own.
  Mirrored<T> losses, input_gradients, weight_gradients, bias_gradients;

  // Device only.
  T* offset = nullptr;
  Rows<T> rows;
  Partials<T> partials;
  T* z = nullptr;  // then their activations
  T *parts = nullptr, *class_parts = nullptr;
  T* unmerged = nullptr;
  ColumnSums column_sums;

  // How the columns are cut: chunks of whole tiles whose logits are kept. One chunk: they are formed once.
  int64_t chunk = 0, num_parts = 1, num_class_parts = 1;
  int64_t chunks() const { return chunk ? (p.num_sampled + chunk - 1) / chunk : 0; }

  Layout uploads, results, scratch;

  // Fills what is uploaded. Reads all that the problem points to, so that nothing but the outputs is needed afterwards.
  void fill();
  // What is copied on the device once the uploads are there.
  Status gather(const Queue& queue) const;

 private:
  void plan_columns();
  void plan_inputs();
  void plan_counts();
  void plan_gradients();
  void fill_hits();

  SlotOrder weight_order_, bias_order_;
};

extern template class LossArrays<float, float>;
extern template class LossArrays<double, double>;
extern template class LossArrays<float, BFloat16>;
extern template class LossArrays<float, Float16>;

// Bytes of logits that are kept at most; beyond, they are formed a chunk of columns at a time, and once more for the
// gradients. For tests, SAMPLED_SOFTMAX_CUDA_KEPT_BYTES says another number.
int64_t kept_bytes();

}  // namespace cuda
}  // namespace sampled_softmax
