// Memory pools: stream-ordered allocation and its accounting.
#pragma once
#include <cuda_runtime_api.h>

#include "runtime/device.h"

namespace cuemu {

struct Pool {
  Device* device;
  size_t used = 0, used_high = 0;          // allocated and not yet freed, by the order of the calls
  size_t leaving = 0;                      // freed by a call, but the stream has not got there
  size_t reserved = 0, reserved_high = 0;  // taken from the device: used, leaving and kept
  uint64_t release_threshold = 0;
  size_t max_size = 0;  // 0: the device's
  int reuse_follow_events = 1, reuse_opportunistic = 1, reuse_internal = 1;
  bool destroyed = false;  // by cudaMemPoolDestroy; goes when its last allocation does

  void release_down_to(size_t bytes);  // gives kept memory back to the device
};

Pool& make_pool(Device& device);
Pool* find_pool(cudaMemPool_t handle);  // null if unknown
void pools_at_synchronization(Device& device);
void give_back(Allocation& allocation);  // the accounting of a pool's allocation that is freed at once

}  // namespace cuemu
