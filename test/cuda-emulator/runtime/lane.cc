#include "runtime/lane.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "runtime/findings.h"
#include "runtime/settings.h"
#include "runtime/streams.h"

namespace cuemu {

Thread* self = nullptr;
Lane* const lanes = new Lane[kMaxThreads];
Lane* running_lane = nullptr;
Launch launch;
Random schedule(1);

void resume(Lane& lane) {
  running_lane = &lane;
  self = &lane.thread;
  lane.fiber.resume();
  running_lane = nullptr;
}

void pause_lane(Lane::State why) {
  running_lane->state = why;
  Fiber::pause();
}

void exit_thread() { pause_lane(Lane::State::Exited); }

void yield_thread() {
  running_lane->yielded = true;
  pause_lane(Lane::State::Ready);
}

uint64_t clock_ticks() {
  static uint64_t ticks = 0;
  return ++ticks;
}

void kernel_fault(Fault fault, const char* format, ...) {
  char text[600];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  launch.fault = fault;
  report("fault", 0, text);
  exit_thread();
  std::abort();  // nobody resumes it
}

void shuffle(std::vector<unsigned>& order, unsigned n) {
  order.resize(n);
  std::iota(order.begin(), order.end(), 0u);
  if (settings().order == Settings::Order::Reverse) std::reverse(order.begin(), order.end());
  if (settings().order == Settings::Order::Random)
    for (unsigned i = n; i > 1; --i) std::swap(order[i - 1], order[schedule.below(i)]);
}

const char* running_kernel() { return on_device_thread() && launch.kernel ? launch.kernel->name : ""; }

std::string running_thread() {
  if (!on_device_thread() || !running_lane) return "";
  const auto& [tid, block, threads, blocks, lane, warp, linear] = running_lane->thread;
  char text[120];
  std::snprintf(text, sizeof text, " [block %u,%u,%u thread %u,%u,%u]", block.x, block.y, block.z, tid.x, tid.y, tid.z);
  return text;
}

}  // namespace cuemu
