// Activations, once for both products of the gradients: each logit becomes scale[b] * activation(z, max[b]), in its own
// place, as the products multiply it (in tf32 rounded to it, in bf16 in half the bytes). On the way the columns are
// summed, which are the gradients of their biases.
//
// Reads 4 * B * S bytes and writes as many, or half; an exponential each. A block has a tile of columns and a part of
// the rows, 64 of which it reads at once, so that memory is waited for once in four. 80 registers: 24 of 64 warps.
#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/activations.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/product.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int kLanes = 16, kGroups = 16, kAtOnce = 4;
constexpr int kStep = kGroups * kAtOnce;  // rows of the batch that a block reads at once

template <class T>
struct Problem {
  int64_t batch, count, column_tiles, part_length, z_pitch;
  T* z;
  const T* max;
  const double* scale;
  Loss loss;
  ColumnSums sums;
};

// What is multiplied of an activation that goes to a product.
template <Arithmetic arithmetic, int count>
__device__ __forceinline__ void store(float* to, const float (&e)[count]) {
  if constexpr (arithmetic == Arithmetic::tf32) {
    float rounded[count];
#pragma unroll
    for (int v = 0; v < count; ++v) rounded[v] = __uint_as_float(rounded_to_tf32(e[v]));
    store_global(to, rounded);
  } else {
    store_global(to, e);
  }
}
template <Arithmetic arithmetic, int count>
__device__ __forceinline__ void store(double* to, const double (&e)[count]) {
  store_global(to, e);
}
// Rounded to nearest; a NaN stays one.
template <Arithmetic arithmetic>
__device__ __forceinline__ void store(BFloat16* to, const float (&e)[4]) {
#if __CUDA_ARCH__ >= 800
  uint32_t low, high;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(low) : "f"(e[1]), "f"(e[0]));
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(high) : "f"(e[3]), "f"(e[2]));
  asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "r"(low), "r"(high) : "memory");
#endif
}

template <Arithmetic arithmetic, class T>
__device__ __forceinline__ Parts<T> activation_of(T z, T max, Loss loss) {
  if (loss != Loss::softmax) return {activation(z, T(0), loss), T(0)};
  if constexpr (arithmetic == Arithmetic::fma) return exp_of_difference(z, max);
  else return {exp_in_brief(z - max), T(0)};
}

template <class T, class A, Arithmetic arithmetic>
__global__ void __launch_bounds__(kLanes* kGroups) activations_kernel(const Begun begun, const Problem<T> p) {
  begun.note();
  if constexpr (!can_multiply<arithmetic>()) return;
  constexpr int kVector = Tile<T>::kVector, kColumns = kLanes * kVector;
  static_assert(kColumns == Tile<T>::kN, "as many as the logits' tiles have, which are all written");
  // A double more after 16, so that lanes a vector apart write to different banks.
  constexpr int kRow = kColumns + kColumns / 16;
  __shared__ double group_sums[kGroups][kRow];
  const int lane = static_cast<int>(threadIdx.x) % kLanes, group = static_cast<int>(threadIdx.x) / kLanes;
  const int64_t first = blockIdx.x % p.column_tiles * kColumns, part = blockIdx.x / p.column_tiles;
  const int64_t c = first + lane * kVector;
  const int64_t begin = part * p.part_length, stop = begin + p.part_length, end = stop < p.batch ? stop : p.batch;

  double sum[kVector] = {};
  for (int64_t b0 = begin; b0 < end; b0 += kStep) {
    Vector<T> z[kAtOnce];
    T max[kAtOnce];
    double scale[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int64_t b = b0 + i * kGroups + group;
      max[i] = 0, scale[i] = 0;
      if (b >= end) continue;
      z[i] = *reinterpret_cast<const Vector<T>*>(p.z + b * p.z_pitch + c);
      max[i] = p.max[b], scale[i] = p.scale[b];
    }
    __syncwarp();  // activations take the place of logits that other lanes read
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int64_t b = b0 + i * kGroups + group;
      if (b >= end) continue;
      T e[kVector];
#pragma unroll
      for (int v = 0; v < kVector; ++v) {
        const Parts<T> parts = activation_of<arithmetic>(z[i].v[v], max[i], p.loss);
        // Zeros beyond the columns, whatever the scale is: products read whole vectors.
        const bool counts = c + v < p.count;
        e[v] = counts ? static_cast<T>(scale[i]) * parts.high : T(0);
        sum[v] += counts ? scale[i] * (static_cast<double>(parts.high) + static_cast<double>(parts.low)) : 0;
      }
      store<arithmetic>(activation_row<A>(p.z, p.z_pitch, b) + activation_column<A, T>(c), e);
    }
  }
  if (!p.sums.values) return;
#pragma unroll
  for (int v = 0; v < kVector; ++v) {
    const int at = lane * kVector + v;
    group_sums[group][at + at / 16] = sum[v];
  }
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x);
  if (column >= kColumns || first + column >= p.count) return;
  double total = 0;
#pragma unroll
  for (int g = 0; g < kGroups; ++g) total += group_sums[g][column + column / 16];
  p.sums.values[part * p.sums.pitch + first + column] = total;
}

// Of the batch, where it is cut into parts; whole steps.
int64_t length_of_part(int64_t batch, int64_t num_parts) {
  return blocks_of(blocks_of(batch, num_parts), kStep) * kStep;
}

}  // namespace

template <class T>
int64_t parts_of_batch(int64_t batch, int64_t columns) {
  constexpr int64_t kBlocks = 1024, kMost = 32;  // of 8 warps: all that a large device holds; what a reader adds up
  const int64_t tiles = blocks_of(columns, Tile<T>::kN);
  int64_t parts = blocks_of(kBlocks, tiles > 0 ? tiles : 1);
  if (parts > kMost) parts = kMost;
  return blocks_of(batch, length_of_part(batch, parts));
}

template <class T, class E>
cudaError_t activations(const Queue& queue, int64_t batch, ColumnRange columns, T* z, const Rows<T>& state, Loss loss,
                        const ColumnSums& sums, Arithmetic arithmetic) {
  const int64_t column_tiles = blocks_of(columns.count, Tile<T>::kN);
  Problem<T> p{batch,
               columns.count,
               column_tiles,
               length_of_part(batch, sums.parts),
               logits_pitch(columns.count),
               z,
               state.max,
               state.scale,
               loss,
               sums};
  if (sums.values) p.sums.values += columns.begin;
  return with_arithmetic<E>(arithmetic, [&](auto chosen) {
    constexpr Arithmetic stored = chosen.value == Arithmetic::f16 ? Arithmetic::tf32 : chosen.value;
    using A = std::conditional_t<stored == Arithmetic::bf16, BFloat16, T>;
    return launch(queue, "activations", column_tiles * sums.parts, kLanes * kGroups, activations_kernel<T, A, stored>,
                  p);
  });
}

template int64_t parts_of_batch<float>(int64_t, int64_t);
template int64_t parts_of_batch<double>(int64_t, int64_t);
#define INSTANTIATE(T, E)                                                                              \
  template cudaError_t activations<T, E>(const Queue&, int64_t, ColumnRange, T*, const Rows<T>&, Loss, \
                                         const ColumnSums&, Arithmetic);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
