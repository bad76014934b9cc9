// printf and assert in kernels.
#pragma once

namespace cuemu {

// As the device's vprintf: the arguments lie in `arguments` as C passes them, each at a multiple of its size.
int device_printf(const char* format, const unsigned char* arguments);
[[noreturn]] void device_assert(const char* message, const char* file, unsigned line);

}  // namespace cuemu
