// How much more memory this process may take before the machine or its control group runs out.
#pragma once

#include <cstdint>
#include <string>

namespace sampled_softmax {

struct AvailableMemory {
  int64_t bytes;     // INT64_MAX where nothing is known
  const char* from;  // who says so: "this machine", "this process's control group"
};

// The least of the machine's available memory and what each control group (version 1 or 2) on the way up leaves: its
// limit minus its usage, where file pages that the kernel gives back at once do not count as used. Swap does not count.
// `root` is "/" except in tests.
AvailableMemory available_memory(const std::string& root);

}  // namespace sampled_softmax
