// How many threads this process should use when nobody says.
#pragma once

#include <string>

#include "core/status.h"

namespace sampled_softmax {

// SAMPLED_SOFTMAX_THREADS, or the processors that the process may run on, limited by its cgroup's quota. At least 1.
int default_threads();

// An error where SAMPLED_SOFTMAX_THREADS is not an integer in [1, 1024].
Status pool_environment_status();

// The CPU quota of the process's cgroup (version 1 or 2) in whole processors, rounded up; 0 where there is none.
// `root` is "/" except in tests.
int cgroup_cpu_limit(const std::string& root);

}  // namespace sampled_softmax
