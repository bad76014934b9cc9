// The functions that a device supplies. The addon calls nothing else of a device.
//
// Functions may be called from any thread, and from several at once. They do not throw, print or exit. Results are
// the same bits for any number of threads; on an error the outputs are undefined.
#pragma once

#include <cstdint>

#include "core/problem.h"
#include "core/status.h"

namespace sampled_softmax {

constexpr int32_t kBackendVersion = 1;

struct Backend {
  int32_t version;   // kBackendVersion of the headers that it was built with
  const char* name;  // "cpu", "cuda"
  const char* (*instruction_set)();

  Status (*sampled_loss)(const SampledProblem&);
  Status (*softmax_loss)(const SoftmaxProblem&);
};

const Backend& cpu_backend();

}  // namespace sampled_softmax
