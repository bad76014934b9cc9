#include "cuda/empty_loss_call.h"

#include <cstring>
#include <memory>

#include "cuda/device_call.h"
#include "cuda/errors.h"
#include "cuda/table.h"

namespace sampled_softmax {
namespace cuda {
namespace {

class EmptyCall final : public DeviceCall {
 public:
  EmptyCall(Device& device, const SampledProblem& problem) : DeviceCall(device), problem_(problem) {}

 private:
  const char* what() const override { return "a loss of no rows"; }
  Status enqueue() override {
    Status status = keep(problem_.weight_gradients, problem_.dim, &weights_);
    if (status.ok()) status = keep(problem_.bias_gradients, 1, &biases_);
    return status;
  }
  Status complete() override {
    if (weights_) *problem_.weight_gradients.kept = weights_.release();
    if (biases_) *problem_.bias_gradients.kept = biases_.release();
    return {};
  }
  Status keep(const RowGradients& gradients, int64_t width, std::unique_ptr<DeviceRows>* rows) {
    const DType dtype = problem_.float64 ? DType::float64 : DType::float32;
    const Status status = make_rows(device_, lane_, gradients, width, dtype, rows);
    const auto bytes = *rows ? static_cast<size_t>(gradients.num_rows * (*rows)->row_bytes()) : 0;
    if (!status.ok() || bytes == 0) return status;
    return check(cudaMemsetAsync((*rows)->memory.data(), 0, bytes, stream()), "cudaMemsetAsync of %zu bytes", bytes);
  }

  const SampledProblem problem_;
  std::unique_ptr<DeviceRows> weights_, biases_;
};

void clear(const RowGradients& gradients, int64_t width, bool float64) {
  const size_t size = float64 ? sizeof(double) : sizeof(float);
  if (gradients.values) std::memset(gradients.values, 0, static_cast<size_t>(gradients.num_rows * width) * size);
}

}  // namespace

Status start_empty_loss(Device& device, const SampledProblem& problem, Notify notify, PendingCall** pending) {
  clear(problem.weight_gradients, problem.dim, problem.float64);
  clear(problem.bias_gradients, 1, problem.float64);
  const bool keeps = problem.weight_gradients.kept || problem.bias_gradients.kept;
  return keeps ? start_call<EmptyCall>(device, notify, pending, problem) : device.state();
}

}  // namespace cuda
}  // namespace sampled_softmax
