#include "cuda/device_call.h"

#include "cuda/errors.h"

namespace sampled_softmax {
namespace cuda {

DeviceCall::~DeviceCall() {
  if (!lane_.stream) return;
  for (void* memory : memory_) device_.free(lane_, memory);
  device_.give_back(lane_);
}

Status DeviceCall::start(Notify notify) {
  Current current(device_);
  if (Status status = check(current.status(), "cudaSetDevice(%d)", device_.index()); !status.ok()) {
    return device_.note(status);
  }
  Status status = device_.take_lane(&lane_);
  if (!status.ok()) return device_.note(status);
  try {
    status = enqueue_all(notify);
  } catch (const std::bad_alloc&) {
    status = Status::error(Code::out_of_memory, "not enough memory for the call");
  }
  if (!status.ok()) cudaStreamSynchronize(stream());
  return device_.note(status);
}

Status DeviceCall::enqueue_all(Notify notify) {
  Status status = enqueue();
  if (status.ok()) status = check(cudaEventRecord(lane_.done, stream()), "cudaEventRecord");
  if (!status.ok() || !notify.call) return status;
  // Not cudaLaunchHostFunc, which is never called once a kernel has failed: the call would not end.
  notify_ = notify;
  const auto call = [](cudaStream_t, cudaError_t, void* self) {
    const Notify notify = static_cast<DeviceCall*>(self)->notify_;
    notify.call(notify.context);
  };
  return check(cudaStreamAddCallback(stream(), call, this, 0), "cudaStreamAddCallback");
}

Status DeviceCall::finish() {
  Current current(device_);
  Status status = check(cudaEventSynchronize(lane_.done), "%s", what());
  if (status.ok()) status = complete();
  return device_.note(status);
}

Status DeviceCall::allocate(size_t bytes, void** memory) {
  memory_.reserve(memory_.size() + 1);
  const Status status = device_.allocate(lane_, bytes, memory);
  if (status.ok()) memory_.push_back(*memory);
  return status;
}

}  // namespace cuda
}  // namespace sampled_softmax
