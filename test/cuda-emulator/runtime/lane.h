// The threads of the block that now runs, and what each of them waits for.
#pragma once
#include <cstdint>
#include <vector>

#include "runtime/collective.h"
#include "runtime/fiber.h"
#include "runtime/kernel.h"
#include "runtime/random.h"
#include "runtime/thread.h"

namespace cuemu {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kWarp = 32;

struct CollectiveCall {
  unsigned mask = 0;
  Collective function = nullptr;
  uint64_t immediate = 0;
  LaneData data{};
  const char* what = "";
};

struct BarrierCall {
  unsigned number = 0;
  unsigned count = 0;  // threads to wait for; 0: all that have not exited
  int reduction = 0, predicate = 0, result = 0;
  uint64_t place = 0;
};

struct AsyncCopy {
  char* to;
  const char* from;
  unsigned bytes, filled;  // `filled` of them from memory, the rest zero
  uint32_t site;           // of the write; 0 in unchecked code
};

struct Lane {
  enum class State : uint8_t { Ready, AtCollective, AtBarrier, Exited };

  Fiber fiber;
  Thread thread{};
  State state = State::Exited;
  bool yielded = false;  // the last time it ran
  CollectiveCall collective;
  BarrierCall barrier;
  std::vector<AsyncCopy> open_copies;               // not yet committed
  std::vector<std::vector<AsyncCopy>> copy_groups;  // committed, not yet waited for
};

// The lanes of the running block, and the one that runs; null outside of kernels. Device thread only.
extern Lane* const lanes;
extern Lane* running_lane;

void resume(Lane& lane);           // until it waits for something, or yields, or exits
void pause_lane(Lane::State why);  // of the running one, until somebody makes it ready again

struct Launch {
  const Kernel* kernel = nullptr;
  const unsigned char* parameters = nullptr;
  Index3 grid{}, block{};
  uint32_t dynamic_shared = 0;
  int device = 0;
  unsigned threads = 0;  // of a block
  int fault = 0;         // a CUDA error: the launch is over
};
extern Launch launch;  // the one that runs

// The schedule of the running launch.
extern Random schedule;
void shuffle(std::vector<unsigned>& order, unsigned n);  // 0 to n - 1, in the schedule's order

}  // namespace cuemu
