// The counted work of all kernels, for people and for tools.
#pragma once

namespace cuemu {

void print_statistics();
bool write_statistics(const char* path);  // JSON

}  // namespace cuemu
