// What is done row by row: offsets of columns, logits of the true classes, and the end of each loss. Bound by memory,
// and small beside the products; no shared memory. Warps are those of an A100's or H100's multiprocessor, of 64, and of
// an L4's or RTX 4090's, of 48.
#include "core/loss_terms.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int kWarp = 32, kWarps = 4;  // a warp has one label, or one row

__device__ __forceinline__ int64_t global_warp() { return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) / kWarp; }
__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

// The same order of additions in every lane.
__device__ __forceinline__ double warp_sum(double x) {
#pragma unroll
  for (int lanes = 1; lanes < kWarp; lanes *= 2) x += __shfl_xor_sync(~0u, x, lanes);
  return x;
}

__device__ __forceinline__ double offset_of(const double* bias, const double* expected_count, int64_t i) {
  return (bias ? bias[i] : 0) - (expected_count ? log(expected_count[i]) : 0);
}

// Reads 16 * S bytes, writes 4 * S; a logarithm each. At most 26 registers: all warps.
template <class T>
__global__ void __launch_bounds__(256) column_offsets_kernel(const Begun begun, int64_t count, const double* bias,
                                                             const double* expected_count, T* offset) {
  begun.note();
  const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c < count) offset[c] = static_cast<T>(offset_of(bias, expected_count, c));
}

// Reads 8 * B * T * D bytes (4 of rows of 16 bits) for 2 * B * T * D flops in double, and 24 * B * T bytes; writes 8 *
// B
// * T. 40 registers, 42 on an L4 or RTX 4090: 48 warps, 40.
template <class E>
__global__ void __launch_bounds__(kWarp* kWarps)
    true_logits_kernel(const Begun begun, int64_t labels, int64_t num_true, int64_t dim, int64_t pitch, const E* inputs,
                       const E* const* rows, const double* bias, const double* expected_count, double* logits) {
  begun.note();
  const int64_t i = global_warp();
  if (i >= labels) return;
  const E *x = inputs + i / num_true * pitch, *w = rows[i];
  // In double, which the reading of rows hides even where it is slow: a bias gradient may be what is left when the
  // logit of a true class meets that of the same class drawn.
  double sum = 0;
  for (int64_t d = lane(); d < dim; d += kWarp) {
    sum = fma(static_cast<double>(value_of(x[d])), static_cast<double>(value_of(w[d])), sum);
  }
  const double total = warp_sum(sum);
  if (lane() == 0) logits[i] = total + offset_of(bias, expected_count, i);
}

// Reads 12 * B bytes for every tile of columns, an exponential each, and 8 * B * T of labels, two each; writes 8 * B *
// T and 16 * B. 48 registers, 54 on an H100: 40 warps, 36 on an H100.
template <class T>
__global__ void __launch_bounds__(kWarp* kWarps)
    finish_rows_kernel(const Begun begun, int64_t batch, int64_t num_true, RowEnd end, Partials<T> partials,
                       Rows<T> rows, T* losses) {
  begun.note();
  const int64_t b = global_warp();
  if (b >= batch) return;
  double* logits = rows.true_logits + b * num_true;
  double* dz = rows.true_dz + b * num_true;
  const T* tile_max = partials.max + b * partials.pitch;
  const double* tile_sum = partials.sum + b * partials.pitch;
  T max = -INFINITY;
  if (end.loss == Loss::softmax) {
    for (int64_t t = lane(); t < partials.pitch; t += kWarp) max = tile_max[t] > max ? tile_max[t] : max;
    for (int64_t j = lane(); !end.full && j < num_true; j += kWarp) {
      const T z = static_cast<T>(logits[j]);
      max = z > max ? z : max;
    }
#pragma unroll
    for (int lanes = 1; lanes < kWarp; lanes *= 2) {
      const T other = __shfl_xor_sync(~0u, max, lanes);
      max = other > max ? other : max;
    }
  }
  double sum = 0;
  for (int64_t t = lane(); t < partials.pitch; t += kWarp) {
    // A tile without a logit that counts adds nothing; where the largest of all is -infinity, NaN as on every device.
    const double unit =
        end.loss == Loss::logistic ? 1 : exp(static_cast<double>(tile_max[t]) - static_cast<double>(max));
    sum += unit == 0 && tile_sum[t] == tile_sum[t] ? 0 : unit * tile_sum[t];
  }
  sum = warp_sum(sum);
  __syncwarp();  // all lanes have read the logits, which are used up now
  if (lane() != 0) return;
  const double g = end.upstream_scale * (end.upstream ? end.upstream[b] : 1.0);
  RowTerms terms;
  if (end.loss == Loss::logistic) {
    terms = logistic_terms(logits, num_true, sum, g, dz);
  } else if (end.numerics == Numerics::mindspore) {
    terms = mindspore_terms<T>(logits, num_true, static_cast<double>(max), sum, g, dz);
  } else {
    terms = softmax_terms<T>(logits, num_true, static_cast<double>(max), sum, end.full, g, dz);
  }
  losses[b] = static_cast<T>(terms.loss);
  rows.max[b] = max;
  rows.scale[b] = terms.scale;
}

}  // namespace

template <class T>
cudaError_t column_offsets(const Queue& queue, int64_t count, const double* bias, const double* expected_count,
                           T* offset) {
  return launch(queue, "column_offsets", blocks_of(count, 256), 256, column_offsets_kernel<T>, count, bias,
                expected_count, offset);
}

template <class E>
cudaError_t true_logits(const Queue& queue, int64_t batch, int64_t num_true, int64_t dim, int64_t pitch,
                        const E* inputs, const E* const* rows, const double* bias, const double* expected_count,
                        double* logits) {
  const int64_t labels = batch * num_true;
  return launch(queue, "true_logits", blocks_of(labels, kWarps), kWarp * kWarps, true_logits_kernel<E>, labels,
                num_true, dim, pitch, inputs, rows, bias, expected_count, logits);
}

template <class T>
cudaError_t finish_rows(const Queue& queue, int64_t batch, int64_t num_true, const RowEnd& end,
                        const Partials<T>& partials, const Rows<T>& rows, T* losses) {
  return launch(queue, "finish_rows", blocks_of(batch, kWarps), kWarp * kWarps, finish_rows_kernel<T>, batch, num_true,
                end, partials, rows, losses);
}

#define INSTANTIATE(T)                                                                                                \
  template cudaError_t column_offsets(const Queue&, int64_t, const double*, const double*, T*);                       \
  template cudaError_t finish_rows(const Queue&, int64_t, int64_t, const RowEnd&, const Partials<T>&, const Rows<T>&, \
                                   T*);
SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE)
#undef INSTANTIATE
#define INSTANTIATE(T, E)                                                                                       \
  template cudaError_t true_logits(const Queue&, int64_t, int64_t, int64_t, int64_t, const E*, const E* const*, \
                                   const double*, const double*, double*);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
