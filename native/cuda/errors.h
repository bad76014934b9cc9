// CUDA's errors as a Status that keeps the call, its sizes and CUDA's own text.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdarg>
#include <cstdio>

#include "core/status.h"

namespace sampled_softmax {
namespace cuda {

// What a CUDA error means for the caller. Memory can be asked for again; the errors of a kernel stay until the process
// ends.
static inline Code code_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return Code::ok;
    case cudaErrorMemoryAllocation: return Code::out_of_memory;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorDevicesUnavailable: return Code::device_unavailable;
    case cudaErrorInvalidConfiguration: return Code::invalid_argument;  // a launch of more blocks than there can be
    default: return Code::device_failed;
  }
}

// Ok where `error` is; otherwise "<what was called, printf-like>: <CUDA's text> (<CUDA's name>)". CUDA forgets it then,
// unless it stays: a later call would find it, and take it for its own.
__attribute__((format(printf, 2, 3))) static inline Status check(cudaError_t error, const char* format, ...) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();
  char call[160];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(call, sizeof call, format, arguments);
  va_end(arguments);
  return Status::error(code_of(error), "CUDA: %s: %s (%s)", call, cudaGetErrorString(error), cudaGetErrorName(error));
}

}  // namespace cuda
}  // namespace sampled_softmax
