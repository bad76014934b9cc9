#include "runtime/block.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/access.h"
#include "runtime/async_copy.h"
#include "runtime/barrier.h"
#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/order.h"
#include "runtime/settings.h"
#include "runtime/traffic.h"

namespace cuemu {
namespace {

void lane_main() {
  launch.kernel->run(launch.parameters);
  exit_thread();
}

void start(Index3 block) {
  start_block_order();
  std::memset(reinterpret_cast<void*>(shared_begin), 0xff, shared_size());  // NaN, as in fresh device memory
  const Index3 n = launch.block;
  for (unsigned t = 0; t < launch.threads; ++t) {
    Lane& lane = lanes[t];
    lane.thread = {{t % n.x, t / n.x % n.y, t / n.x / n.y}, block, n, launch.grid, t % kWarp, t / kWarp, t};
    lane.state = Lane::State::Ready;
    lane.fiber.start(lane_main);
  }
}

struct Progress {
  bool moved = false, yielded = false;
};

// Lets each lane of a warp that can run do so until it waits for something.
Progress run_lanes(unsigned warp) {
  static auto& order = *new std::vector<unsigned>;
  shuffle(order, std::min(kWarp, launch.threads - warp * kWarp));
  Progress progress;
  for (const unsigned i : order) {
    Lane& lane = lanes[warp * kWarp + i];
    if (lane.state != Lane::State::Ready) continue;
    lane.yielded = false;
    resume(lane);
    progress.moved = true;
    progress.yielded |= lane.yielded;
    if (launch.fault) break;
  }
  return progress;
}

// Runs a warp as far as it goes without the others, which shows the most skew between warps; in a random schedule also
// less far. Whoever has yielded may wait for another warp. False if nothing could move.
bool run_warp(unsigned warp) {
  for (bool moved = false;;) {
    const Progress lanes_of_it = run_lanes(warp);
    if (launch.fault) return true;
    finish_requests();
    const bool collectives = run_collectives(warp);
    if (!lanes_of_it.moved && !collectives) return moved;
    moved = true;
    const bool stop = settings().order == Settings::Order::Random && schedule.below(4) == 0;
    if (lanes_of_it.yielded || stop || launch.fault) return true;
  }
}

bool all_exited() {
  return std::all_of(lanes, lanes + launch.threads, [](const Lane& lane) { return lane.state == Lane::State::Exited; });
}

void report_deadlock() {
  constexpr unsigned kShown = 6;
  std::string text = "deadlock:";
  unsigned shown = 0;
  for (unsigned i = 0; i < launch.threads && shown < kShown; ++i) {
    if (lanes[i].state == Lane::State::Exited) continue;
    text += (shown++ ? ", thread " : " thread ") + std::to_string(i) + " waits at ";
    text += lanes[i].state == Lane::State::AtBarrier ? "a barrier" : lanes[i].collective.what;
  }
  launch.fault = kLaunchFailure;
  report("synccheck", 0, text);
}

}  // namespace

void run_block(Index3 block) {
  static auto& order = *new std::vector<unsigned>;
  start(block);
  while (!launch.fault && !all_exited()) {
    bool moved = false;
    shuffle(order, (launch.threads + kWarp - 1) / kWarp);
    for (const unsigned warp : order)
      if (!launch.fault) moved |= run_warp(warp);
    if (!moved && !open_barriers() && !all_exited()) report_deadlock();
  }
  for (unsigned i = 0; i < launch.threads; ++i) drop_copies(lanes[i]);
}

}  // namespace cuemu
