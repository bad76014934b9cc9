// What every kernel file needs to launch its kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sampled_softmax {
namespace cuda {

static inline int64_t blocks_of(int64_t count, int64_t each) { return (count + each - 1) / each; }

// Launches a kernel; nothing where there are no blocks. More than a grid can have are refused: they would be cut off in
// silence. The error is cleared, so that a later launch does not report it again.
template <class... Parameters, class... Arguments>
static cudaError_t launch(cudaStream_t stream, int64_t blocks, int threads, void (*kernel)(Parameters...),
                          Arguments... arguments) {
  if (blocks <= 0) return cudaSuccess;
  if (blocks > INT32_MAX) return cudaErrorInvalidConfiguration;
  kernel<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads), 0, stream>>>(arguments...);
  return cudaGetLastError();
}

}  // namespace cuda
}  // namespace sampled_softmax

// Launchers are templates on the arithmetic: float and double.
#define SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE) \
  INSTANTIATE(float)                          \
  INSTANTIATE(double)
