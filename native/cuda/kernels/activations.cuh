// Where the activations of a chunk of columns are: in the memory of their logits, in rows of as many bytes. Of 16 bits,
// those of a tile of columns are in the first half of the tile's, so that who has read the tile's logits may write
// them.
#pragma once

#include <cstdint>

#include "cuda/kernels/operand.cuh"

namespace sampled_softmax {
namespace cuda {

// Activations of A in the memory of logits of T: the first of row b, and where that of column c is from it. Those of
// as many columns as a vector has follow each other.
template <class A, class T>
static __device__ __forceinline__ A* activation_row(T* z, int64_t z_pitch, int64_t b) {
  return reinterpret_cast<A*>(z + b * z_pitch);
}
template <class A, class T>
static __device__ __forceinline__ const A* activation_row(const T* z, int64_t z_pitch, int64_t b) {
  return reinterpret_cast<const A*>(z + b * z_pitch);
}
template <class A, class T>
static __device__ __forceinline__ int64_t activation_column(int64_t c) {
  if constexpr (sizeof(A) == sizeof(T)) return c;
  constexpr int kN = Tile<T>::kN, kShare = sizeof(T) / sizeof(A);
  return c / kN * (kN * kShare) + c % kN;
}

}  // namespace cuda
}  // namespace sampled_softmax
