// What every kernel file needs to launch its kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels/kernels.h"

namespace sampled_softmax {
namespace cuda {

// The first parameter of every kernel, which begins with note().
struct Begun {
  const char* volatile* word;
  const char* name;

  __device__ __forceinline__ void note() const {
    if (blockIdx.x == 0 && threadIdx.x == 0) *word = name;
  }
};

static __device__ __forceinline__ double value_of(double x) { return x; }
static __device__ __forceinline__ float value_of(float x) { return x; }
static __device__ __forceinline__ float value_of(BFloat16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}
static __device__ __forceinline__ float value_of(Float16 x) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
  return value;
}

static inline int64_t blocks_of(int64_t count, int64_t each) { return (count + each - 1) / each; }

// Launches a kernel; nothing where there are no blocks. More than a grid can have are refused: they would be cut off in
// silence. The error is cleared, so that a later launch does not report it again.
template <class... Parameters, class... Arguments>
static cudaError_t launch(const Queue& queue, const char* name, int64_t blocks, int threads,
                          void (*kernel)(Begun, Parameters...), Arguments... arguments) {
  if (blocks <= 0) return cudaSuccess;
  if (blocks > INT32_MAX) return cudaErrorInvalidConfiguration;
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, queue.stream>>>({queue.begun, name},
                                                                                             arguments...);
  return cudaGetLastError();
}

}  // namespace cuda
}  // namespace sampled_softmax

// Launchers are templates on the arithmetic, or on it and on the elements of rows.
#define SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE) \
  INSTANTIATE(float)                          \
  INSTANTIATE(double)
#define SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE) \
  INSTANTIATE(float, float)                   \
  INSTANTIATE(double, double)                 \
  INSTANTIATE(float, BFloat16)                \
  INSTANTIATE(float, Float16)
