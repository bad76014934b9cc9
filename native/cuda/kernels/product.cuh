// Which product a kernel is built with.
#pragma once

#include <type_traits>

#include "cuda/kernels/fma_product.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/tensor_product.cuh"

namespace sampled_softmax {
namespace cuda {

template <class E, Arithmetic arithmetic, Inside inside_a, Inside inside_b>
struct ProductOf {
  using Type = FmaProduct<E, inside_a, inside_b>;
};
template <Inside inside_a, Inside inside_b>
struct ProductOf<float, Arithmetic::tf32, inside_a, inside_b> {
  using Type = Tf32Product<float, inside_a, inside_b>;
};
template <Inside inside_a, Inside inside_b>
struct ProductOf<BFloat16, Arithmetic::bf16, inside_a, inside_b> {
  using Type = HalfProduct<BFloat16, inside_a, inside_b>;
};
// Rows with rows. Activations with rows (whose k is outside) in tf32: many of them are below float16's range.
template <Inside inside_a, Inside inside_b>
struct ProductOf<Float16, Arithmetic::f16, inside_a, inside_b> {
  using Type = Tf32Product<Float16, inside_a, inside_b>;
};
template <>
struct ProductOf<Float16, Arithmetic::f16, Inside::k, Inside::k> {
  using Type = HalfProduct<Float16, Inside::k, Inside::k>;
};
template <class E, Arithmetic arithmetic, Inside inside_a, Inside inside_b>
using Product = typename ProductOf<E, arithmetic, inside_a, inside_b>::Type;

// Whether the GPU that is compiled for can do it. Kernels that it cannot are empty, and are not launched.
template <Arithmetic arithmetic>
static __device__ constexpr bool can_multiply() {
#if __CUDA_ARCH__ >= 800
  return true;
#else
  return arithmetic == Arithmetic::fma;
#endif
}

// How much of k each part has, where a sum is cut into `num_parts`: whole steps of the product.
template <class E>
static inline int64_t length_of_part(int64_t length, int64_t num_parts) {
  return blocks_of(blocks_of(length, num_parts), Tile<E>::kK) * Tile<E>::kK;
}

// Calls launch with the arithmetic as a constant, one that rows of E have kernels for.
template <class E, class Launch>
static cudaError_t with_arithmetic(Arithmetic arithmetic, Launch&& launch) {
  if constexpr (std::is_same_v<E, BFloat16>) {
    return launch(std::integral_constant<Arithmetic, Arithmetic::bf16>());
  } else if constexpr (std::is_same_v<E, Float16>) {
    return launch(std::integral_constant<Arithmetic, Arithmetic::f16>());
  } else {
    if constexpr (std::is_same_v<E, float>) {
      if (arithmetic == Arithmetic::tf32) return launch(std::integral_constant<Arithmetic, Arithmetic::tf32>());
    }
    return launch(std::integral_constant<Arithmetic, Arithmetic::fma>());
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
