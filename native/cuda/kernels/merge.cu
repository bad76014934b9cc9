// Gradient rows of the labels, and rows that several slots share: each row has one owner, which adds its slots in their
// order, in double. Bound by memory; no shared memory. Warps are those of an A100's or H100's multiprocessor, of 64,
// and of an L4's or RTX 4090's, of 48.
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/parts.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int kThreads = 128;

// Writes 4 * B * T * D bytes, a product each; reads as many, from memory 4 * B * D. At most 26 registers: all warps.
template <class T, class E>
__global__ void __launch_bounds__(kThreads)
    label_gradients_kernel(const Begun begun, int64_t num_true, int64_t dim, int64_t pitch, const double* true_dz,
                           const E* inputs, const int64_t* row_of, T* values) {
  begun.note();
  const int64_t i = blockIdx.x;
  const E* x = inputs + i / num_true * pitch;
  const T dz = static_cast<T>(true_dz[i]);
  T* out = values + (row_of ? row_of[i] : i) * dim;
  for (int64_t d = threadIdx.x; d < dim; d += kThreads) out[d] = dz * value_of(x[d]);
}

// For each row that N slots share: reads 4 * D * (N + 1) bytes and 16 * N of slots, writes 4 * D; 2 * N * D flops in
// double. 40 registers: 48 warps.
template <class T, class E>
__global__ void __launch_bounds__(kThreads)
    merge_class_gradients_kernel(const Begun begun, Segments segments, int64_t num_true, int64_t dim, int64_t pitch,
                                 const double* true_dz, const E* inputs, const T* columns, T* values) {
  begun.note();
  const int64_t s = blockIdx.x;
  T* out = values + segments.rows[s] * dim;
  for (int64_t d = threadIdx.x; d < dim; d += kThreads) {
    double sum = static_cast<double>(out[d]);
    for (int64_t i = segments.starts[s]; i < segments.starts[s + 1]; ++i) {
      const int64_t slot = segments.slots[i];
      sum += slot < segments.labels ? true_dz[slot] * static_cast<double>(value_of(inputs[slot / num_true * pitch + d]))
                                    : static_cast<double>(columns[(slot - segments.labels) * dim + d]);
    }
    out[d] = static_cast<T>(sum);
  }
}

// Reads 16 bytes for each of B * T + S slots, a sum each, and 16 for each row; writes 4. 40 registers, 48 on an H100:
// 48 warps, 40 on an H100.
template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_bias_gradients_kernel(const Begun begun, Segments segments, const double* true_dz, ColumnSums columns,
                                T* values) {
  begun.note();
  const int64_t s = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (s >= segments.count) return;
  const bool alone = !segments.starts;
  const int64_t begin = alone ? s : segments.starts[s], end = alone ? s + 1 : segments.starts[s + 1];
  double sum = 0;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t slot = alone ? i : segments.slots[i];
    if (slot < segments.labels) {
      sum += true_dz[slot];
      continue;
    }
    sum += sum_of_parts(columns.values + slot - segments.labels, columns.pitch, columns.parts);
  }
  values[segments.rows ? segments.rows[s] : s] = static_cast<T>(sum);
}

}  // namespace

template <class T, class E>
cudaError_t label_gradients(const Queue& queue, int64_t labels, int64_t num_true, int64_t dim, int64_t pitch,
                            const double* true_dz, const E* inputs, const int64_t* row_of, T* values) {
  return launch(queue, "label_gradients", labels, kThreads, label_gradients_kernel<T, E>, num_true, dim, pitch, true_dz,
                inputs, row_of, values);
}

template <class T, class E>
cudaError_t merge_class_gradients(const Queue& queue, const Segments& segments, int64_t num_true, int64_t dim,
                                  int64_t pitch, const double* true_dz, const E* inputs, const T* columns, T* values) {
  return launch(queue, "merge_class_gradients", segments.count, kThreads, merge_class_gradients_kernel<T, E>, segments,
                num_true, dim, pitch, true_dz, inputs, columns, values);
}

template <class T>
cudaError_t merge_bias_gradients(const Queue& queue, const Segments& segments, const double* true_dz,
                                 const ColumnSums& columns, T* values) {
  return launch(queue, "merge_bias_gradients", blocks_of(segments.count, kThreads), kThreads,
                merge_bias_gradients_kernel<T>, segments, true_dz, columns, values);
}

#define INSTANTIATE(T, E)                                                                                             \
  template cudaError_t label_gradients(const Queue&, int64_t, int64_t, int64_t, int64_t, const double*, const E*,     \
                                       const int64_t*, T*);                                                           \
  template cudaError_t merge_class_gradients(const Queue&, const Segments&, int64_t, int64_t, int64_t, const double*, \
                                             const E*, const T*, T*);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE
#define INSTANTIATE(T) \
  template cudaError_t merge_bias_gradients(const Queue&, const Segments&, const double*, const ColumnSums&, T*);
SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
