// What calls of every kind have in common: a lane, an order among the calls that use the same tables, and an end.
#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/backend.h"
#include "core/status.h"
#include "cuda/device.h"
#include "cuda/table.h"

namespace sampled_softmax {

// Calls of every kind, to those who only wait for them.
struct PendingCall {
  virtual ~PendingCall() = default;
  virtual Status finish() = 0;
};

namespace cuda {

class DeviceCall : public PendingCall {
 public:
  // Frees the call's memory, on its stream.
  ~DeviceCall() override;

  // After an error nothing of the call runs any more.
  Status start(Notify notify);
  Status finish() final;

 protected:
  explicit DeviceCall(Device& device) : device_(device) {}

  // Puts the work on the stream, this device being the thread's. Tables are entered in `uses` and waited for first.
  virtual Status enqueue() = 0;
  // Once all of it has been done.
  virtual Status complete() = 0;
  // For the message of what went wrong on the device.
  virtual const char* what() const = 0;

  // Memory of the device until the call has ended.
  Status allocate(size_t bytes, void** memory);
  cudaStream_t stream() const { return lane_.stream; }
  const Queue& queue() const { return lane_; }

  Device& device_;
  Lane lane_;
  TableUses uses_;

 private:
  Status enqueue_all(Notify notify);

  std::vector<void*> memory_;
  Notify notify_;
};

// Starts the call that `Call` makes of the arguments; one that cannot even be made is out of memory.
template <class Call, class... Arguments>
Status start_call(Device& device, Notify notify, PendingCall** pending, Arguments&&... arguments) {
  *pending = nullptr;
  if (Status status = device.state(); !status.ok()) return status;
  try {
    auto call = std::make_unique<Call>(device, std::forward<Arguments>(arguments)...);
    if (Status status = call->start(notify); !status.ok()) return status;
    *pending = call.release();
    return {};
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, "not enough memory for the call");
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
