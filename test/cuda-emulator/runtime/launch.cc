#include "runtime/launch.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>

#include "runtime/access.h"
#include "runtime/async_copy.h"
#include "runtime/barrier.h"
#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/modules.h"
#include "runtime/order.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/traffic.h"
#include "runtime/written.h"

namespace cuemu {

Thread* self = nullptr;
Lane* const lanes = new Lane[kMaxThreads];
Lane* running_lane = nullptr;
Launch launch;
Random schedule(1);

void pause_lane(Lane::State why) {
  running_lane->state = why;
  Fiber::pause();
}

void kernel_fault(int error, const char* format, ...) {
  char text[600];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  launch.fault = error;
  report("fault", 0, text);
  pause_lane(Lane::State::Exited);
  std::abort();  // nobody resumes it
}

void exit_thread() { pause_lane(Lane::State::Exited); }
namespace {
bool yielded = false;  // since the warp was last entered
}
void yield_thread() {
  yielded = true;
  pause_lane(Lane::State::Ready);
}
uint64_t clock_ticks() {
  static uint64_t ticks = 0;
  return ++ticks;
}

void shuffle(std::vector<unsigned>& order, unsigned n) {
  order.resize(n);
  std::iota(order.begin(), order.end(), 0u);
  if (settings().order == Settings::Order::Reverse) std::reverse(order.begin(), order.end());
  if (settings().order == Settings::Order::Random)
    for (unsigned i = n; i > 1; --i) std::swap(order[i - 1], order[schedule.below(i)]);
}

namespace {

void lane_main() {
  launch.kernel->run(launch.parameters);
  pause_lane(Lane::State::Exited);
}

void start_block(Index3 block) {
  start_block_order();
  std::memset(reinterpret_cast<void*>(shared_begin), 0xff, shared_size());
  for (unsigned t = 0; t < launch.threads; ++t) {
    Lane& lane = lanes[t];
    const Index3 n = launch.block;
    lane.thread = {{t % n.x, t / n.x % n.y, t / n.x / n.y}, block, n, launch.grid, t % kWarp, t / kWarp, t};
    lane.state = Lane::State::Ready;
    lane.fiber.start(lane_main);
  }
}

void resume(Lane& lane) {
  running_lane = &lane;
  self = &lane.thread;
  lane.fiber.resume();
  running_lane = nullptr;
}

// Runs a warp as far as it goes without the others; false if it could not move.
bool run_warp(unsigned warp) {
  static auto& order = *new std::vector<unsigned>;
  bool moved = false;
  for (bool again = true; again && !launch.fault;) {
    again = false;
    shuffle(order, std::min(kWarp, launch.threads - warp * kWarp));
    for (const unsigned i : order) {
      Lane& lane = lanes[warp * kWarp + i];
      if (lane.state != Lane::State::Ready) continue;
      resume(lane);
      again = true;
      if (launch.fault) return true;
    }
    finish_requests();
    again |= run_collectives(warp);
    moved |= again;
    if (std::exchange(yielded, false)) break;  // it may wait for another warp
    // the longest runs show the most skew between warps, the random ones show others
    if (settings().order == Settings::Order::Random && schedule.below(4) == 0) break;
  }
  return moved;
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
  launch.fault = 719;
  report("synccheck", 0, text);
}

void run_block() {
  static auto& order = *new std::vector<unsigned>;
  while (!launch.fault && !all_exited()) {
    bool moved = false;
    shuffle(order, (launch.threads + kWarp - 1) / kWarp);
    for (const unsigned warp : order) moved |= run_warp(warp);
    if (!moved && !launch.fault && !open_barriers() && !all_exited()) report_deadlock();
  }
  for (unsigned i = 0; i < launch.threads; ++i) drop_copies(lanes[i]);
}

// The number of the block to run as the k-th.
uint64_t block_in_order(uint64_t k, uint64_t blocks) {
  constexpr uint64_t kStride = 0x9e3779b1;
  switch (settings().order) {
    case Settings::Order::Forward: return k;
    case Settings::Order::Reverse: return blocks - 1 - k;
    case Settings::Order::Random: break;
  }
  return std::gcd(blocks, kStride) == 1 ? (k * kStride + settings().seed) % blocks : k;
}

}  // namespace

int run_grid(const Kernel& kernel, const Grid& grid, const unsigned char* parameters, int device) {
  {
    std::lock_guard lock(runtime_mutex());
    place_variables(device);
    if (!kernel.checked) mark_all_written(device);  // by a kernel that does not say what it writes
  }
  launch = {&kernel,
            parameters,
            grid.blocks,
            grid.threads,
            grid.dynamic_shared,
            device,
            grid.threads.x * grid.threads.y * grid.threads.z,
            0};
  schedule = Random(settings().seed);
  const Index3 n = grid.blocks;
  const uint64_t blocks = uint64_t(n.x) * n.y * n.z;
  start_launch_order();
  start_counting(blocks * launch.threads);
  for (uint64_t k = 0; k < blocks && !launch.fault; ++k) {
    const uint64_t i = block_in_order(k, blocks);
    start_block({unsigned(i % n.x), unsigned(i / n.x % n.y), unsigned(i / n.x / n.y)});
    run_block();
  }
  stop_counting(kernel.name);
  launch.kernel = nullptr;
  return launch.fault;
}

const char* running_kernel() { return launch.kernel ? launch.kernel->name : ""; }

std::string running_thread() {
  if (!running_lane) return "";
  const Thread& t = running_lane->thread;
  char text[120];
  std::snprintf(text, sizeof text, " [block %u,%u,%u thread %u,%u,%u]", t.ctaid.x, t.ctaid.y, t.ctaid.z, t.tid.x,
                t.tid.y, t.tid.z);
  return text;
}

}  // namespace cuemu
