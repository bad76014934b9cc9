#include "runtime/streams.h"

#include <algorithm>

#include "runtime/device.h"
#include "runtime/pool.h"
#include "runtime/scheduler.h"

namespace cuemu {
namespace {

// The default stream and the blocking streams of a device wait for each other.
void wait_for_default_stream(const std::shared_ptr<Stream>& s, Operation& op) {
  if (s->flags & cudaStreamNonBlocking) return;
  const std::shared_ptr<Stream>& legacy = s->device->legacy;
  const std::vector<Mark> ends = s == legacy ? ends_of(s) : std::vector<Mark>{end_of(legacy)};
  op.after.insert(op.after.end(), ends.begin(), ends.end());
}

}  // namespace

Scheduler& scheduler() {
  static auto& s = *new Scheduler;
  return s;
}

void forget_if_over(const std::shared_ptr<Stream>& s) {
  if (!s->destroyed || !s->queue.empty()) return;
  Scheduler& all = scheduler();
  if (std::erase(all.streams, s)) {
    all.ended[s->number] = s->issued;
    all.free_numbers.push_back(s->number);
  }
}

std::shared_ptr<Stream> make_stream(Device& device, unsigned flags, int priority) {
  Scheduler& all = scheduler();
  auto s = std::make_shared<Stream>();
  s->device = &device;
  s->flags = flags;
  s->priority = priority;
  if (all.free_numbers.empty()) {
    s->number = all.ended.size();
    all.ended.push_back(0);
  } else {
    s->number = all.free_numbers.back();
    all.free_numbers.pop_back();
  }
  s->issued = s->done = s->wanted = all.ended[s->number];
  all.streams.push_back(s);
  return s;
}

std::shared_ptr<Stream> find_stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return current_device().legacy;
  for (const auto& s : scheduler().streams)
    if (s.get() == reinterpret_cast<Stream*>(handle) && !s->destroyed) return s;
  return nullptr;
}

void destroy_stream(const std::shared_ptr<Stream>& s) {
  s->destroyed = true;
  forget_if_over(s);
}

Mark enqueue(const std::shared_ptr<Stream>& s, Operation op) {
  Scheduler& all = scheduler();
  wait_for_default_stream(s, op);
  op.seq = ++s->issued;
  s->clock.add(all.known);
  for (const Mark& m : op.after) s->clock.add(m.clock);
  s->clock.add(Moment{s->number, op.seq});
  op.clock = s->clock;
  op.enqueued = all.last_enqueue = std::chrono::steady_clock::now();
  s->queue.push_back(std::move(op));
  start_device_thread();
  all.work.notify_one();
  return end_of(s);
}

Mark enqueue(const std::shared_ptr<Stream>& s, std::function<cudaError_t()> run) {
  Operation op;
  op.run = std::move(run);
  return enqueue(s, std::move(op));
}

Mark end_of(const std::shared_ptr<Stream>& s) { return {s, s->issued, s->clock}; }
std::vector<Mark> ends_of(const std::shared_ptr<Stream>& s) {
  if (s != s->device->legacy) return {end_of(s)};
  std::vector<Mark> ends;
  for (const auto& other : scheduler().streams)
    if (other->device == s->device && !(other->flags & cudaStreamNonBlocking)) ends.push_back(end_of(other));
  return ends;
}
bool is_done(const Mark& m) { return !m.stream || m.stream->done >= m.seq; }
const Clock& known() { return scheduler().known; }
void know(const Mark& m) { scheduler().known.add(m.clock); }

void want(const Mark& m) {
  if (!m.stream || m.stream->wanted >= m.seq) return;
  m.stream->wanted = m.seq;
  scheduler().work.notify_one();
}

void wait_for(const Mark& m, Lock& lock) {
  want(m);
  scheduler().progress.wait(lock, [&] { return is_done(m); });
  know(m);
  if (m.stream) pools_at_synchronization(*m.stream->device);
}

void wait_for_device(Device& device, Lock& lock) {
  std::vector<Mark> ends;
  for (const auto& s : scheduler().streams)
    if (s->device == &device) ends.push_back(end_of(s));
  for (const Mark& m : ends) want(m);
  for (const Mark& m : ends) wait_for(m, lock);
}

void drop_streams(Device& device, Lock& lock) {
  Scheduler& all = scheduler();
  const auto of_device = [&](const std::shared_ptr<Stream>& s) { return s->device == &device; };
  all.progress.wait(lock, [&] {
    return std::none_of(all.streams.begin(), all.streams.end(),
                        [&](const auto& s) { return of_device(s) && s->running; });
  });
  std::vector<std::shared_ptr<Stream>> mine;
  std::copy_if(all.streams.begin(), all.streams.end(), std::back_inserter(mine), of_device);
  for (const auto& s : mine) {
    s->queue.clear();
    s->done = s->issued;
    s->destroyed = s != device.legacy;
    forget_if_over(s);
  }
  all.progress.notify_all();
}

}  // namespace cuemu
