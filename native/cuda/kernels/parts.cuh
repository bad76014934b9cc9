// How sums that were cut into parts are put together.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sampled_softmax {
namespace cuda {

// x[0] + x[apart] + x[2 * apart] + ..., in this order and in double. Eight are asked for at once: with four at a time,
// 32 parts of few sums took 14 us, and not 6.
template <class T>
static __device__ __forceinline__ double sum_of_parts(const T* x, int64_t apart, int64_t num_parts) {
  constexpr int kAtOnce = 8;
  double sum = 0;
  int64_t part = 0;
  for (; part + kAtOnce <= num_parts; part += kAtOnce) {
    T values[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i, x += apart) values[i] = *x;
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) sum += static_cast<double>(values[i]);
  }
#pragma unroll 4
  for (; part < num_parts; ++part, x += apart) sum += static_cast<double>(*x);
  return sum;
}

// The row of element i of rows of `width`: a division of 64 bits takes some 100 instructions, one of 32 a fifth.
static __device__ __forceinline__ int64_t row_of_element(int64_t i, int64_t width) {
  if ((i | width) >> 32 != 0) return i / width;
  return static_cast<uint32_t>(i) / static_cast<uint32_t>(width);
}

}  // namespace cuda
}  // namespace sampled_softmax
