#include "runtime/barrier.h"

#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/order.h"
#include "runtime/traffic.h"

namespace cuemu {
namespace {

constexpr unsigned kBarriers = 16;

bool waits_at(const Lane& lane, unsigned number) {
  return lane.state == Lane::State::AtBarrier && lane.barrier.number == number;
}

int reduce(int reduction, unsigned here, unsigned yes) {
  switch (reduction) {
    case CountTrue: return int(yes);
    case AllTrue: return yes == here;
    case AnyTrue: return yes > 0;
  }
  return 0;
}

bool open_if_complete(unsigned number) {
  unsigned here = 0, live = 0, yes = 0, count = 0;
  uint32_t warps = 0;
  uint64_t place = 0;
  bool mixed = false;
  for (unsigned i = 0; i < launch.threads; ++i) {
    const Lane& lane = lanes[i];
    live += lane.state != Lane::State::Exited;
    if (!waits_at(lane, number)) continue;
    mixed |= here && place != lane.barrier.place;
    ++here;
    warps |= 1u << (i / kWarp);
    place = lane.barrier.place;
    count = lane.barrier.count;
    yes += lane.barrier.predicate != 0;
  }
  if (!here || here != (count ? count : live)) return false;
  if (mixed) report("synccheck", 0, "threads meet at one barrier from different places in the code");
  here == live ? order_block() : order_warps(warps);
  for (unsigned i = 0; i < launch.threads; ++i)
    if (waits_at(lanes[i], number)) {
      lanes[i].barrier.result = reduce(lanes[i].barrier.reduction, here, yes);
      lanes[i].state = Lane::State::Ready;
    }
  count_barrier();
  return true;
}

}  // namespace

int barrier(unsigned number, unsigned count, int reduction, int predicate, uint64_t place) {
  if (number >= kBarriers) kernel_fault(kIllegalInstruction, "barrier %u: there are %u", number, kBarriers);
  if (count % kWarp) kernel_fault(kIllegalInstruction, "a barrier for %u threads: not a multiple of a warp", count);
  running_lane->barrier = {number, count, reduction, predicate, 0, place};
  pause_lane(Lane::State::AtBarrier);
  return running_lane->barrier.result;
}

bool open_barriers() {
  bool any = false;
  for (unsigned number = 0; number < kBarriers; ++number) any |= open_if_complete(number);
  return any;
}

}  // namespace cuemu
