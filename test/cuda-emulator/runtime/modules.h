// Kernels and variables of the translated files, by name.
#pragma once
#include <string>

#include "runtime/kernel.h"
#include "runtime/memory.h"

namespace cuemu {

// Both need the runtime's mutex.
void place_variables(int device);                                // so that kernels find them
Allocation* find_variable(const std::string& name, int device);  // null, with a finding, if several files have one

}  // namespace cuemu
