#include "runtime/collective.h"

#include <algorithm>

#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/order.h"
#include "runtime/traffic.h"

namespace cuemu {
namespace {

bool same(const CollectiveCall& a, const CollectiveCall& b) {
  return a.function == b.function && a.mask == b.mask && a.immediate == b.immediate;
}

// The lanes that the call of lane `first` waits for and that have all arrived; 0 if one is still missing. A lane that
// waits at something else, which in turn names the first one, will never come: the launch dies.
unsigned arrived(const Lane* warp, unsigned lane_count, unsigned first) {
  const CollectiveCall& call = warp[first].collective;
  unsigned present = 0;
  for (unsigned j = 0; j < lane_count; ++j) {
    const Lane& other = warp[j];
    if (!(call.mask >> j & 1) || other.state == Lane::State::Exited) continue;
    if (other.state != Lane::State::AtCollective) return 0;
    if (!same(call, other.collective)) {
      if (!(other.collective.mask >> first & 1)) return 0;
      report("synccheck", 0,
             std::string("lanes of one warp are at different collectives: ") + call.what + " and " +
                 other.collective.what);
      launch.fault = kLaunchFailure;
      return 0;
    }
    present |= 1u << j;
  }
  return present;
}

}  // namespace

void collective(unsigned mask, Collective function, uint64_t immediate, const void* in, void* out, const char* what) {
  if (!(mask >> self->lane & 1)) kernel_fault(kLaunchFailure, "%s: the calling lane is not in its own mask", what);
  running_lane->collective = {mask, function, immediate, {in, out}, what};
  pause_lane(Lane::State::AtCollective);
}

bool run_collectives(unsigned warp_number) {
  Lane* warp = lanes + warp_number * kWarp;
  const unsigned lane_count = std::min(kWarp, launch.threads - warp_number * kWarp);
  bool any = false;
  for (unsigned i = 0; i < lane_count; ++i) {
    if (warp[i].state != Lane::State::AtCollective) continue;
    const unsigned present = arrived(warp, lane_count, i);
    if (launch.fault) return false;
    if (!present) continue;
    LaneData data[kWarp] = {};
    for (unsigned j = 0; j < lane_count; ++j)
      if (present >> j & 1) data[j] = warp[j].collective.data;
    warp[i].collective.function(data, present, warp[i].collective.immediate);
    order_loads(warp_number, present);
    for (unsigned j = 0; j < lane_count; ++j)
      if (present >> j & 1) warp[j].state = Lane::State::Ready;
    any = true;
    count_collective();
  }
  return any;
}

}  // namespace cuemu
