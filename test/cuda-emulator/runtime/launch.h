// Which host symbol stands for which kernel or variable.
#pragma once
#include <string>

namespace cuemu {

const std::string& kernel_name(const void* host_function);
const std::string& variable_name(const void* host_variable);

}  // namespace cuemu
