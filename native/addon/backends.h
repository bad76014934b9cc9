// The backends of the process: the CPU's, which is linked in, and CUDA's, a library that is opened on first need. All
// functions may be called from any thread.
#pragma once

#include <cstdint>
#include <string>

#include "core/backend.h"
#include "core/status.h"

namespace sampled_softmax {

// What a look for CUDA devices found. `reason` says in a sentence why there are none; empty where there are some.
struct CudaLook {
  const Backend* backend = nullptr;
  int32_t devices = 0;
  std::string reason;
};

// Looks, the first time that it is called, and remembers what it found for as long as the process lives. The first look
// takes as long as the driver needs to wake up (tenths of a second).
const CudaLook& look_for_cuda();
// What look_for_cuda() has found, or null where nobody has called it. Never looks.
const CudaLook* cuda_look_so_far();

// Devices as JavaScript counts them (NativeLoss.numbers): 0 is the CPU, n + 1 is CUDA's device n.
struct DeviceOfBackend {
  const Backend* backend = nullptr;  // null: there is no such device
  int32_t index = 0;
};
DeviceOfBackend find_device(int64_t number);

// The device that 'auto' stands for, counted as above: SAMPLED_SOFTMAX_DEVICE, otherwise 0. Code::environment where
// that names no device. Does not look whether the device is there.
Status default_device(int64_t* number);

// Of those backends that have been used.
Status release_kept_memory();

}  // namespace sampled_softmax
