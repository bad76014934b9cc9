// Gradient rows of the labels, and rows that several slots share: each row has one owner, which adds its slots in their
// order, in double. Bandwidth: a multiply-add for each element read and written.
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads)
    label_gradients_kernel(int64_t num_true, int64_t dim, int64_t pitch, const double* true_dz, const T* inputs,
                           const int64_t* row_of, T* values) {
  const int64_t i = blockIdx.x;
  const T* x = inputs + i / num_true * pitch;
  const T dz = static_cast<T>(true_dz[i]);
  T* out = values + (row_of ? row_of[i] : i) * dim;
  for (int64_t d = threadIdx.x; d < dim; d += kThreads) out[d] = dz * x[d];
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_class_gradients_kernel(Segments segments, int64_t num_true, int64_t dim, int64_t pitch, const double* true_dz,
                                 const T* inputs, const T* columns, T* values) {
  const int64_t s = blockIdx.x;
  T* out = values + segments.rows[s] * dim;
  for (int64_t d = threadIdx.x; d < dim; d += kThreads) {
    double sum = static_cast<double>(out[d]);
    for (int64_t i = segments.starts[s]; i < segments.starts[s + 1]; ++i) {
      const int64_t slot = segments.slots[i];
      sum += slot < segments.labels ? true_dz[slot] * static_cast<double>(inputs[slot / num_true * pitch + d])
                                    : static_cast<double>(columns[(slot - segments.labels) * dim + d]);
    }
    out[d] = static_cast<T>(sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_bias_gradients_kernel(Segments segments, const double* true_dz, const double* columns, T* values) {
  const int64_t s = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (s >= segments.count) return;
  const bool alone = !segments.starts;
  const int64_t begin = alone ? s : segments.starts[s], end = alone ? s + 1 : segments.starts[s + 1];
  double sum = 0;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t slot = alone ? i : segments.slots[i];
    sum += slot < segments.labels ? true_dz[slot] : columns[slot - segments.labels];
  }
  values[segments.rows ? segments.rows[s] : s] = static_cast<T>(sum);
}

}  // namespace

template <class T>
cudaError_t label_gradients(cudaStream_t stream, int64_t labels, int64_t num_true, int64_t dim, int64_t pitch,
                            const double* true_dz, const T* inputs, const int64_t* row_of, T* values) {
  return launch(stream, labels, kThreads, label_gradients_kernel<T>, num_true, dim, pitch, true_dz, inputs, row_of,
                values);
}

template <class T>
cudaError_t merge_class_gradients(cudaStream_t stream, const Segments& segments, int64_t num_true, int64_t dim,
                                  int64_t pitch, const double* true_dz, const T* inputs, const T* columns, T* values) {
  return launch(stream, segments.count, kThreads, merge_class_gradients_kernel<T>, segments, num_true, dim, pitch,
                true_dz, inputs, columns, values);
}

template <class T>
cudaError_t merge_bias_gradients(cudaStream_t stream, const Segments& segments, const double* true_dz,
                                 const double* columns, T* values) {
  return launch(stream, blocks_of(segments.count, kThreads), kThreads, merge_bias_gradients_kernel<T>, segments,
                true_dz, columns, values);
}

#define INSTANTIATE(T)                                                                                                \
  template cudaError_t label_gradients(cudaStream_t, int64_t, int64_t, int64_t, int64_t, const double*, const T*,     \
                                       const int64_t*, T*);                                                           \
  template cudaError_t merge_class_gradients(cudaStream_t, const Segments&, int64_t, int64_t, int64_t, const double*, \
                                             const T*, const T*, T*);                                                 \
  template cudaError_t merge_bias_gradients(cudaStream_t, const Segments&, const double*, const double*, T*);
SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
