// The CUDA backend as the addon sees it: the struct of its functions, and the one symbol that the library exports.
#include "core/backend.h"

#include <memory>
#include <vector>

#include "cuda/device.h"
#include "cuda/device_call.h"
#include "cuda/loss_call.h"
#include "cuda/table.h"
#include "cuda/table_calls.h"

namespace sampled_softmax {
namespace {

Status count_devices(int32_t* count) {
  const std::vector<cuda::Device*>* devices;
  if (Status status = cuda::Device::all(&devices); !status.ok()) return status;
  *count = static_cast<int32_t>(devices->size());
  return {};
}

Status device_info(int32_t index, DeviceInfo* info) {
  cuda::Device* device;
  if (Status status = cuda::Device::get(index, &device); !status.ok()) return status;
  return device->info(info);
}

Status start_sampled_loss(const SampledProblem& problem, Notify notify, PendingCall** pending) {
  return cuda::start_loss(problem, false, notify, pending);
}

Status start_softmax_loss(const SoftmaxProblem& problem, Notify notify, PendingCall** pending) {
  return cuda::start_loss(as_sampled(problem), true, notify, pending);
}

Status finish(PendingCall* pending) {
  const std::unique_ptr<PendingCall> call(pending);
  return call->finish();
}

void destroy_table(DeviceTable* table) { delete table; }
void destroy_gradients(DeviceRows* rows) { delete rows; }

Status release_memory() {
  const std::vector<cuda::Device*>* devices;
  if (!cuda::Device::all(&devices).ok()) return {};
  Status result;
  for (cuda::Device* device : *devices) {
    if (Status status = device->release_memory(); !status.ok()) result = status;
  }
  return result;
}

constexpr TableFunctions kTables{cuda::create_table,     destroy_table,        cuda::start_read_rows,
                                 cuda::start_write_rows, cuda::start_add_rows, cuda::start_read_gradients,
                                 destroy_gradients};

constexpr Backend kBackend{kBackendVersion,    "cuda", count_devices,  device_info, start_sampled_loss,
                           start_softmax_loss, finish, release_memory, &kTables};

}  // namespace
}  // namespace sampled_softmax

extern "C" __attribute__((visibility("default"))) const sampled_softmax::Backend* sampled_softmax_backend() {
  return &sampled_softmax::kBackend;
}
