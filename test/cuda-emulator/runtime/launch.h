// Running a grid to its end.
#pragma once
#include "runtime/kernel.h"
#include "runtime/thread.h"

namespace cuemu {

struct Grid {
  Index3 blocks, threads;
  uint32_t dynamic_shared;
};

// On the device thread; returns a CUDA error, 0 if none.
int run_grid(const Kernel& kernel, const Grid& grid, const unsigned char* parameters, int device);

}  // namespace cuemu
