// Running the threads of one block.
#pragma once
#include "runtime/thread.h"

namespace cuemu {

// To the end, or until launch.fault is set.
void run_block(Index3 block);

}  // namespace cuemu
