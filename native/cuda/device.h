// The devices of this process: each with a pool of device memory, lanes on which calls run, and what has gone wrong for
// good.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/status.h"
#include "cuda/queue.h"

namespace sampled_softmax {
namespace cuda {

// What one call at a time runs on.
struct Lane : Queue {
  cudaEvent_t done = nullptr;  // waiting for it sleeps, and does not spin
};

class Device {
 public:
  // Looks for devices, once in a process. They live as long as it does.
  static Status all(const std::vector<Device*>** devices);
  static Status get(int32_t index, Device** device);

  explicit Device(int index);

  int index() const { return index_; }
  // Whether it has some that multiply tf32 and bfloat16: compute capability 8.0 and newer.
  bool has_tensor_cores() const { return has_tensor_cores_; }
  Status info(DeviceInfo* info) const;

  // Ok, or why the device no longer works: the errors of a kernel never leave it.
  Status state() const;
  // Notes an error of a call; one that stays makes the device unusable, and gets the names of the last kernels to begin
  // on all lanes that are taken: who hears of it first need not be who did it.
  Status note(const Status& status);

  Status take_lane(Lane* lane);
  void give_back(const Lane& lane);

  // Memory in the order of the lane's stream: what is freed is taken by later calls without waiting for anyone.
  Status allocate(const Lane& lane, size_t bytes, void** memory);
  void free(const Lane& lane, void* memory);

  // Gives what no call holds back to the driver, and ends the lanes that no call has.
  Status release_memory();

 private:
  Status open_pool();
  Status make_lane(Lane* lane);
  static void end_lane(const Lane& lane);

  const int index_;
  bool has_tensor_cores_ = false;
  mutable std::mutex mutex_;
  cudaMemPool_t pool_ = nullptr;
  std::vector<Lane> lanes_;  // that no call has
  std::vector<Lane> taken_;
  Status failure_;
};

// Makes a device this thread's own for as long as the object lives, and then what was before: the driver's context,
// which other CUDA libraries in the process share. (The runtime would say device 0 where there was none, and to set
// that would take half a gigabyte of it.)
class Current {
 public:
  explicit Current(const Device& device);
  ~Current();
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

  cudaError_t status() const { return status_; }

 private:
  CUcontext before_ = nullptr;
  cudaError_t status_ = cudaSuccess;
};

}  // namespace cuda
}  // namespace sampled_softmax
