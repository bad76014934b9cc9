// Large ranges of addresses that take memory only where they are touched.
#pragma once
#include <cstdint>

namespace cuemu {

// Never fails: a machine without so many addresses cannot run the emulator, and is told so. `protection` as for mmap.
char* reserve_addresses(uint64_t bytes, int protection);
void give_memory_back(void* first, uint64_t bytes);  // whole pages; they read as zero then

}  // namespace cuemu
