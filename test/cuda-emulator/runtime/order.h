// Which of two accesses comes first, by what the program does to order them, not by when the emulator happened to run
// them.
//
// Time is a counter that grows with everything that orders: launches, blocks, barriers, collectives. Within a block,
// two threads are ordered by a barrier of both or by a __syncwarp of both. Shuffles, votes and the like promise nothing
// about memory, but a lane that has passed one has done its loads: they come before later writes of the others. Blocks
// of one launch are ordered by fences and atomics only (fences.h), launches by streams and events (clock.h).
#pragma once
#include <cstdint>
#include <string>

namespace cuemu {

using Instant = uint32_t;
struct Times {
  Instant now = 1;
  Instant launch = 1, block = 1;  // when they began
  Instant barrier = 1;            // the last one of all threads of the block
};
extern Times times;

void start_launch_order();
void start_block_order();
void order_block();                               // a barrier of all threads
void order_warps(uint32_t warps);                 // a barrier of some warps
void order_lanes(unsigned warp, uint32_t lanes);  // a __syncwarp
void order_loads(unsigned warp, uint32_t lanes);  // another collective

enum class Earlier { Load, Write };

// How an earlier access stands to the running thread: ordered before it, or not ordered and made by ...
enum class Order { Ordered, SameBlock, OtherBlock, OtherStream };

// with one of this block:
Order order_with_thread(Instant time, unsigned thread, Earlier access);
Order order_with_loads(Instant time, unsigned warp, uint32_t lanes);  // of several lanes, the last at that time
Order order_with_any_thread(Instant time);                            // nobody knows whose
// with one to device memory before this block began:
Order order_with_earlier(Instant time, unsigned thread, bool strong);

// Launches that are not ordered with the operation that now runs on the device thread.
Instant first_unordered_launch();  // when it began; in the future, if there is none
bool by_unordered_launch(Instant time);

}  // namespace cuemu
