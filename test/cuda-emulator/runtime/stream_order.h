// Stream-ordered memory must be used after its allocation and before its release, in the order of streams and events.
#pragma once
#include <string>

#include "runtime/memory.h"

namespace cuemu {

// All need the runtime's mutex.
void note_use(Allocation& allocation, const Moment& moment, const Clock& clock, const std::string& user);
void note_free(Allocation& allocation, const Moment& moment, const Clock& clock);

}  // namespace cuemu
