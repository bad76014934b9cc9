// A loss on a device, from its start to its end.
#pragma once

#include "core/backend.h"
#include "core/problem.h"
#include "core/status.h"

namespace sampled_softmax {
namespace cuda {

// As Backend::start_sampled_loss; `full`: the columns are all classes.
Status start_loss(const SampledProblem& problem, bool full, Notify notify, PendingCall** pending);

}  // namespace cuda
}  // namespace sampled_softmax
