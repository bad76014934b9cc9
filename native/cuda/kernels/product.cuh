// Which product a kernel is built with.
#pragma once

#include <type_traits>

#include "cuda/kernels/fma_product.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/tensor_product.cuh"

namespace sampled_softmax {
namespace cuda {

template <class T, Arithmetic arithmetic, Inside inside_a, Inside inside_b>
struct ProductOf {
  using Type = FmaProduct<T, inside_a, inside_b>;
};
template <Inside inside_a, Inside inside_b>
struct ProductOf<float, Arithmetic::tf32, inside_a, inside_b> {
  using Type = TensorProduct<inside_a, inside_b>;
};
template <class T, Arithmetic arithmetic, Inside inside_a, Inside inside_b>
using Product = typename ProductOf<T, arithmetic, inside_a, inside_b>::Type;

// Calls launch with the arithmetic as a constant, one that T has kernels for.
template <class T, class Launch>
static cudaError_t with_arithmetic(Arithmetic arithmetic, Launch&& launch) {
  if constexpr (std::is_same_v<T, float>) {
    if (arithmetic == Arithmetic::tf32) return launch(std::integral_constant<Arithmetic, Arithmetic::tf32>());
  }
  return launch(std::integral_constant<Arithmetic, Arithmetic::fma>());
}

}  // namespace cuda
}  // namespace sampled_softmax
