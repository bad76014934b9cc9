// Holds a stream up, so that a test need not be faster than the device.
#pragma once
#include <cuda_runtime_api.h>

#include <condition_variable>
#include <mutex>

class Gate {
 public:
  explicit Gate(cudaStream_t stream) { cudaLaunchHostFunc(stream, wait, this); }
  ~Gate() {
    open();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return passed_; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  static void CUDART_CB wait(void* data) {
    Gate& gate = *static_cast<Gate*>(data);
    std::unique_lock lock(gate.mutex_);
    gate.changed_.wait(lock, [&] { return gate.open_; });
    gate.passed_ = true;
    gate.changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false, passed_ = false;
};
