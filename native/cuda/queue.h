// Where kernels are launched.
#pragma once

#include <cuda_runtime_api.h>

namespace sampled_softmax {
namespace cuda {

// A stream, and a word of the host's memory in which each kernel notes its name as it begins. When a device has failed,
// that is all there is to tell which kernel it was: they run long after their launch, and nothing can be copied any
// more. A write that nobody waits for.
struct Queue {
  cudaStream_t stream = nullptr;
  const char* volatile* begun = nullptr;
};

}  // namespace cuda
}  // namespace sampled_softmax
