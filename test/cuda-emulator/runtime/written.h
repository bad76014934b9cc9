// Which bytes of device memory have been written since they were allocated: reading others is a finding.
#pragma once
#include <cstdint>

namespace cuemu {

void mark_written(uint64_t address, uint64_t bytes);
void mark_all_written(int device);                  // whatever is allocated there; needs the runtime's mutex
bool is_written(uint64_t address, uint64_t bytes);  // all of them
void copy_written(uint64_t to, uint64_t from,
                  uint64_t bytes);                    // within device memory: as the bytes themselves are copied
void forget_written(uint64_t first, uint64_t bytes);  // of freed memory: it only saves space, no address comes twice

}  // namespace cuemu
