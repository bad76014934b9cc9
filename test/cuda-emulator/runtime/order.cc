#include "runtime/order.h"

#include <algorithm>
#include <array>
#include <vector>

#include "runtime/fences.h"
#include "runtime/lane.h"
#include "runtime/races.h"
#include "runtime/streams.h"

namespace cuemu {

Times times;

namespace {

// What a thread knows beyond the last barrier of all: accesses older than these times are ordered before it.
struct Known {
  Instant lane[kWarp];        // of its own warp
  Instant lane_loads[kWarp];  // only what they have loaded; later than the above, or the same
  Instant warp[kMaxThreads / kWarp];

  void add(const Known& other) {
    for (unsigned i = 0; i < kWarp; ++i) {
      lane[i] = std::max(lane[i], other.lane[i]);
      lane_loads[i] = std::max(lane_loads[i], other.lane_loads[i]);
    }
    for (unsigned i = 0; i < kMaxThreads / kWarp; ++i) warp[i] = std::max(warp[i], other.warp[i]);
  }
};
auto& known_to = *new std::array<Known, kMaxThreads>;

template <class Visit>
void each_lane(unsigned warp, uint32_t lanes_of_it, Visit visit) {
  for (unsigned j = 0; j < kWarp; ++j)
    if (lanes_of_it >> j & 1) visit(j, known_to[warp * kWarp + j]);
}

// Launches before the running one. What is older than kRemembered launches is taken to be ordered.
struct PastLaunch {
  Instant start;
  Moment moment;
};
auto& past_launches = *new std::vector<PastLaunch>;
constexpr size_t kRemembered = 1024;
Instant safe_before = 1;  // launches before this time are all ordered with the running one

}  // namespace

void start_launch_order() {
  constexpr Instant kLatest = Instant(1) << 31;
  if (times.now > kLatest) {  // leaves as much again for one launch
    times = {};
    past_launches.clear();
    forget_all_accesses();
  }
  times.launch = ++times.now;
  safe_before = std::min(first_unordered_launch(), times.launch);
  past_launches.push_back({times.launch, running().moment});
  if (past_launches.size() > 2 * kRemembered)
    past_launches.erase(past_launches.begin(), past_launches.end() - kRemembered);
  start_launch_fences();
}

void start_block_order() {
  times.block = times.barrier = ++times.now;
  std::fill_n(known_to.begin(), launch.threads, Known{});
  start_block_fences();
}

void order_block() { times.barrier = ++times.now; }

void order_warps(uint32_t warps) {
  ++times.now;
  const auto takes_part = [&](unsigned thread) { return warps >> (thread / kWarp) & 1; };
  Known all{};
  for (unsigned i = 0; i < launch.threads; ++i)
    if (takes_part(i)) all.add(known_to[i]);
  for (unsigned w = 0; w < kMaxThreads / kWarp; ++w)
    if (warps >> w & 1) all.warp[w] = times.now;
  std::fill_n(all.lane, kWarp, times.now);
  std::fill_n(all.lane_loads, kWarp, times.now);
  for (unsigned i = 0; i < launch.threads; ++i)
    if (takes_part(i)) known_to[i] = all;
}

void order_lanes(unsigned warp, uint32_t mask) {
  ++times.now;
  Known all{};
  each_lane(warp, mask, [&](unsigned, const Known& known) { all.add(known); });
  each_lane(warp, mask, [&](unsigned lane, const Known&) { all.lane[lane] = all.lane_loads[lane] = times.now; });
  each_lane(warp, mask, [&](unsigned, Known& known) { known = all; });
}

void order_loads(unsigned warp, uint32_t mask) {
  ++times.now;
  Instant loads[kWarp] = {};
  if (mask != ~0u)
    each_lane(warp, mask, [&](unsigned, const Known& known) {
      for (unsigned i = 0; i < kWarp; ++i) loads[i] = std::max(loads[i], known.lane_loads[i]);
    });
  each_lane(warp, mask, [&](unsigned lane, const Known&) { loads[lane] = times.now; });
  each_lane(warp, mask, [&](unsigned, Known& known) { std::copy_n(loads, kWarp, known.lane_loads); });
}

Order order_with_thread(Instant time, unsigned thread, Earlier access) {
  const unsigned me = self->linear;
  if (time < times.barrier || thread == me) return Order::Ordered;
  const Known& known = known_to[me];
  if (thread / kWarp != self->warp) return time < known.warp[thread / kWarp] ? Order::Ordered : Order::SameBlock;
  const Instant* lane_until = access == Earlier::Load ? known.lane_loads : known.lane;
  return time < lane_until[thread % kWarp] ? Order::Ordered : Order::SameBlock;
}

Order order_with_loads(Instant time, unsigned warp, uint32_t mask) {
  if (time < times.barrier) return Order::Ordered;
  const Known& known = known_to[self->linear];
  if (warp != self->warp) return time < known.warp[warp] ? Order::Ordered : Order::SameBlock;
  const uint32_t others = mask & ~(1u << self->lane);
  uint32_t ordered = 0;
  if (time < times.now)  // else nothing has happened since that could order them: the usual case
    for (unsigned lane = 0; lane < kWarp; ++lane) ordered |= uint32_t(time < known.lane_loads[lane]) << lane;
  return others & ~ordered ? Order::SameBlock : Order::Ordered;
}

Order order_with_any_thread(Instant time) { return time < times.barrier ? Order::Ordered : Order::SameBlock; }

Order order_with_earlier(Instant time, unsigned thread, bool strong) {
  if (time < safe_before) return Order::Ordered;
  if (time < times.launch) return by_unordered_launch(time) ? Order::OtherStream : Order::Ordered;
  return handed_over(time, thread, strong) ? Order::Ordered : Order::OtherBlock;
}

bool by_unordered_launch(Instant time) {
  const auto after = std::upper_bound(past_launches.begin(), past_launches.end(), time,
                                      [](Instant t, const PastLaunch& past) { return t < past.start; });
  return after != past_launches.begin() && !running().clock.has(std::prev(after)->moment);
}

Instant first_unordered_launch() {
  for (const PastLaunch& past : past_launches)
    if (!running().clock.has(past.moment)) return past.start;
  return times.now + 1;
}

}  // namespace cuemu
