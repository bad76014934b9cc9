#include "runtime/streams.h"

#include <dlfcn.h>
#include <signal.h>

#include <condition_variable>
#include <random>
#include <thread>

#include "runtime/device.h"
#include "runtime/pool.h"
#include "runtime/settings.h"

namespace cuemu {
namespace {

using namespace std::chrono_literals;
constexpr auto kQuiet = 1ms;      // without new work, lazy streams start
constexpr auto kPatience = 20ms;  // and when work keeps coming, after this

struct Scheduler {
  std::condition_variable work, progress;
  std::vector<std::shared_ptr<Stream>> streams;  // in order of creation
  std::vector<uint64_t> ended;                   // by number of stream: where a new stream of that number goes on
  std::vector<size_t> free_numbers;
  Time last_enqueue{};
  Clock known;
  bool started = false;
  std::mt19937_64 random{settings().seed};
};
Scheduler& scheduler() {
  static auto& s = *new Scheduler;
  return s;
}

thread_local bool inside_callback = false;
Running& running_now() {
  static auto& r = *new Running;
  return r;
}

bool ready(const Stream& s) {
  if (s.queue.empty() || s.running) return false;
  for (const Mark& m : s.queue.front().after)
    if (!is_done(m)) return false;
  return true;
}

// What is waited for may itself have to wait for operations of other streams.
void spread_wants() {
  for (bool again = true; again;) {
    again = false;
    for (const auto& s : scheduler().streams)
      for (const Operation& op : s->queue) {
        if (op.seq > s->wanted) break;
        for (const Mark& m : op.after)
          if (m.stream && m.stream->wanted < m.seq) m.stream->wanted = m.seq, again = true;
      }
  }
}

bool may_start(const Stream& s, Time now) {
  if (settings().eager_streams || s.wanted >= s.queue.front().seq) return true;
  return now - scheduler().last_enqueue >= kQuiet || now - s.queue.front().enqueued >= kPatience;
}

std::shared_ptr<Stream> pick(Time now) {
  std::vector<std::shared_ptr<Stream>> can;
  for (const auto& s : scheduler().streams)
    if (ready(*s) && may_start(*s, now)) can.push_back(s);
  if (can.empty()) return nullptr;
  switch (settings().order) {
    case Settings::Order::Forward: return can.front();
    case Settings::Order::Reverse: return can.back();
    case Settings::Order::Random: break;
  }
  return can[scheduler().random() % can.size()];
}

void forget_if_over(const std::shared_ptr<Stream>& s) {
  if (!s->destroyed || !s->queue.empty()) return;
  Scheduler& all = scheduler();
  if (std::erase(all.streams, s)) {
    all.ended[s->number] = s->issued;
    all.free_numbers.push_back(s->number);
  }
}

void run_first(const std::shared_ptr<Stream>& s, Lock& lock) {
  s->running = true;
  Operation& op = s->queue.front();  // stays where it is: only this thread takes from the queue
  const cudaError_t fault = s->device->fault;
  running_now() = {{s->number, op.seq}, op.clock, running_now().number + 1};
  cudaError_t result = cudaSuccess;
  if (op.even_after_fault) {
    scheduler().known.add(op.clock);  // who is called back knows that all before it is done
    lock.unlock();
    inside_callback = true;
    op.even_after_fault(fault);
    inside_callback = false;
    lock.lock();
  } else if (!fault) {
    lock.unlock();
    result = op.run();
    lock.lock();
  }
  if (result) s->device->fault = result;
  s->done = op.seq;
  const Operation over = std::move(s->queue.front());
  s->queue.pop_front();
  s->running = false;
  forget_if_over(s);
  scheduler().progress.notify_all();
  lock.unlock();  // what the operation holds is destroyed outside the lock: it may be the program's own
}

[[noreturn]] void device_thread() {
  static char signal_stack[65536];  // a fiber that runs out of stack faults on its guard page
  stack_t alternative{};
  alternative.ss_sp = signal_stack;
  alternative.ss_size = sizeof signal_stack;
  sigaltstack(&alternative, nullptr);

  for (;;) {
    Lock lock(runtime_mutex());
    spread_wants();
    const Time now = std::chrono::steady_clock::now();
    if (const auto s = pick(now)) {
      run_first(s, lock);
      continue;
    }
    bool waiting = false;
    for (const auto& s : scheduler().streams) waiting |= ready(*s);
    if (waiting) scheduler().work.wait_until(lock, std::max(now + kQuiet / 4, scheduler().last_enqueue + kQuiet));
    else scheduler().work.wait(lock);
  }
}

// The thread never ends, so the code that it runs must never be unloaded.
void keep_library_loaded() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&device_thread), &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace

bool in_callback() { return inside_callback; }
const Running& running() { return running_now(); }
uint64_t operation_number() { return running_now().number; }

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
  // The default stream and the blocking streams of a device wait for each other.
  const std::shared_ptr<Stream>& legacy = s->device->legacy;
  if (s == legacy) {
    for (const auto& other : all.streams)
      if (other != s && other->device == s->device && !(other->flags & cudaStreamNonBlocking))
        op.after.push_back(end_of(other));
  } else if (!(s->flags & cudaStreamNonBlocking)) {
    op.after.push_back(end_of(legacy));
  }
  op.seq = ++s->issued;
  s->clock.add(all.known);
  for (const Mark& m : op.after) s->clock.add(m.clock);
  s->clock.add(Moment{s->number, op.seq});
  op.clock = s->clock;
  op.enqueued = all.last_enqueue = std::chrono::steady_clock::now();
  s->queue.push_back(std::move(op));
  if (!all.started) {
    all.started = true;
    keep_library_loaded();
    std::thread(device_thread).detach();
  }
  all.work.notify_one();
  return end_of(s);
}

Mark enqueue(const std::shared_ptr<Stream>& s, std::function<cudaError_t()> run) {
  Operation op;
  op.run = std::move(run);
  return enqueue(s, std::move(op));
}

Mark end_of(const std::shared_ptr<Stream>& s) { return {s, s->issued, s->clock}; }
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
