// A device: what it holds, whether it has faulted, and which streams feed it.
#pragma once
#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/memory.h"

namespace cuemu {

struct Stream;
struct Pool;

struct Device {
  int index = 0;
  cudaError_t fault = cudaSuccess;           // sticky: set by a kernel that died, returned by every later call
  size_t allocated = 0;                      // by cudaMalloc, bytes
  std::shared_ptr<Stream> legacy;            // the default stream
  std::vector<std::unique_ptr<Pool>> pools;  // the first is the default pool
  Pool* current_pool = nullptr;
  std::map<std::string, int> dynamic_shared;  // what kernels have opted in to
};

Device& device(int index);  // 0 <= index < settings().devices
size_t reserved_by_pools(const Device& device);
size_t free_bytes(const Device& device);
cudaDeviceProp properties(int index);

// Whether this allocation is to fail, for CUEMU_FAIL_ALLOC or cuemu_fail_allocations(). Counts it. Of all that takes
// memory: device, pool and page-locked memory, streams, events and pools. Needs the runtime's mutex.
bool injected_failure();

}  // namespace cuemu
