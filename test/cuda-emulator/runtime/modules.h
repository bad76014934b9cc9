// Kernels and variables of the translated files, by name.
#pragma once
#include <string>
#include <vector>

#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace cuemu {

std::vector<std::string> kernel_names();

// Both need the runtime's mutex.
void place_variables(int device);                                // so that kernels find them
Allocation* find_variable(const std::string& name, int device);  // null, with a finding, if several files have one

}  // namespace cuemu
