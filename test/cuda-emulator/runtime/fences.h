// Order between blocks of one launch: a fence and then an atomic write hand over what came before; whoever reads that
// word by an atomic, and then passes a fence, may use it. Without the fences, a race is reported.
//
// What is handed over goes with one word; chains over several words are not followed. The fences of a block count for
// all its threads, as far as barriers allow.
#pragma once
#include <cstdint>

#include "runtime/access.h"
#include "runtime/order.h"

namespace cuemu {

void start_launch_fences();
void start_block_fences();

void fence();  // of the running thread, for the whole device
void strong_access(uint64_t address, Access access, bool acquire, bool release);

// Whether an access of an earlier block of this launch, at that time and by that thread, is handed over to this block.
bool handed_over(Instant time, unsigned thread, bool to_strong_access);

}  // namespace cuemu
