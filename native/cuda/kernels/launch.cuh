// What every kernel file needs: how many blocks, and the result of a launch.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sampled_softmax {
namespace cuda {

static inline int64_t blocks_of(int64_t count, int64_t each) { return (count + each - 1) / each; }

// The launch that stood before this call; cleared, so that a later call does not report it again.
static inline cudaError_t launched() { return cudaGetLastError(); }

}  // namespace cuda
}  // namespace sampled_softmax

// Launchers are templates on the arithmetic: float and double.
#define SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE) \
  INSTANTIATE(float)                          \
  INSTANTIATE(double)
