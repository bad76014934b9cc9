// cp.async: copies from device to shared memory that land sometime between their issue and the wait for their group.
// Both ends are legal, and CUEMU_COPY chooses which one is shown.
#pragma once
#include <cstdint>

namespace cuemu {

struct Lane;

// `filled` of the bytes come from memory, the rest is zero. `site` is that of the write; 0 in unchecked code.
void start_copy(char* to, const char* from, unsigned bytes, unsigned filled, uint32_t site);
void commit_copies();                // those started since the last commit are one group
void wait_for_copies(unsigned but);  // for all groups but the last ones

void drop_copies(Lane& lane);  // that nobody waited for

}  // namespace cuemu
