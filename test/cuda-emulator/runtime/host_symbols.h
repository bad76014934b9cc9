// Which kernel or variable a symbol of the host code stands for; as nvcc's objects have registered them.
#pragma once
#include <string>

namespace cuemu {

const std::string& kernel_name(const void* host_function);  // "" if unknown
const std::string& variable_name(const void* host_variable);

}  // namespace cuemu
