// Who the running thread of the kernel is.
#pragma once
#include <cstdint>

namespace cuemu {

struct Index3 {
  unsigned x, y, z;
};

struct Thread {
  Index3 tid, ctaid, ntid, nctaid;
  unsigned lane, warp;
  unsigned linear;  // in its block
};

// One thread of the kernel runs at a time, all of them on the device thread.
extern Thread* self;

void exit_thread();      // from within a function that the kernel calls
void yield_thread();     // so that others can write what this one waits for
uint64_t clock_ticks();  // moves on, and says nothing about time

// Errors that end a launch, by the numbers of cudaError_t.
enum Fault : int {
  kIllegalAddress = 700,
  kAssert = 710,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kInvalidAddressSpace = 717,
  kLaunchFailure = 719,
};
// The launch dies, as it would on a GPU.
[[noreturn]] void kernel_fault(Fault fault, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace cuemu
