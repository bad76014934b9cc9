// A loss of no rows: there is nothing to compute, and the gradients of classes are zero.
#pragma once

#include "core/backend.h"
#include "core/problem.h"
#include "core/status.h"
#include "cuda/device.h"

namespace sampled_softmax {
namespace cuda {

Status start_empty_loss(Device& device, const SampledProblem& problem, Notify notify, PendingCall** pending);

}  // namespace cuda
}  // namespace sampled_softmax
