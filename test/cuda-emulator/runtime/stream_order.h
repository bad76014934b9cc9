// What the order of streams and events promises about device memory: that it is used after its allocation and before
// its release, and that of two uses, one of them a write, one comes first. Kernels in checked code, copies and fills
// are seen.
#pragma once
#include <string>

#include "runtime/memory.h"

namespace cuemu {

// ---- when a call is made; these need the runtime's mutex
void note_use(const void* p, const Moment& moment);  // by a copy or a fill; p may be host memory
void note_free(Allocation& allocation, const Moment& moment, const Clock& clock);
void note_host_free(const Allocation& allocation);  // by cudaFree, which does not wait for stream-ordered memory

// ---- when the operation runs, on the device thread; these take the mutex
// By a copy or a fill; p may be host memory. False, with a finding, if the memory is no longer there.
bool copy_touches(const void* p, uint64_t bytes, bool writes);
void kernel_uses(Allocation& allocation);  // its first access
// Each access to an allocation that has `unordered` ones:
void kernel_touches(const Allocation& a, uint32_t site, uint64_t address, unsigned size, bool writes);

}  // namespace cuemu
