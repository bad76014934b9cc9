// The thread that runs everything: kernels, copies and callbacks.
#include <dlfcn.h>
#include <signal.h>

#include <random>
#include <thread>

#include "runtime/device.h"
#include "runtime/scheduler.h"
#include "runtime/settings.h"

namespace cuemu {
namespace {

using namespace std::chrono_literals;
constexpr auto kQuiet = 1ms;      // without new work, lazy streams start
constexpr auto kPatience = 20ms;  // and when work keeps coming, after this

thread_local bool is_device_thread = false, inside_callback = false;
auto& now_running = *new Running;

// ---- what may run

bool ready(const Stream& s) {
  if (s.queue.empty() || s.running) return false;
  const auto& after = s.queue.front().after;
  return std::all_of(after.begin(), after.end(), is_done);
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
  static auto& random = *new std::mt19937_64(settings().seed);
  std::vector<std::shared_ptr<Stream>> can;
  for (const auto& s : scheduler().streams)
    if (ready(*s) && may_start(*s, now)) can.push_back(s);
  if (can.empty()) return nullptr;
  switch (settings().order) {
    case Settings::Order::Forward: return can.front();
    case Settings::Order::Reverse: return can.back();
    case Settings::Order::Random: break;
  }
  return can[random() % can.size()];
}

void wait_for_work(Time now, Lock& lock) {
  Scheduler& all = scheduler();
  const bool waiting = std::any_of(all.streams.begin(), all.streams.end(), [](const auto& s) { return ready(*s); });
  if (waiting) all.work.wait_until(lock, std::max(now + kQuiet / 4, all.last_enqueue + kQuiet));
  else all.work.wait(lock);
}

// ---- running it

// With the lock, but for the time of the operation itself; returns the device's new fault, if any.
cudaError_t run(Operation& op, cudaError_t fault, Lock& lock) {
  cudaError_t result = cudaSuccess;
  if (op.callback) scheduler().known.add(op.clock);  // who is called back knows that all before it is done
  lock.unlock();
  if (op.callback) {
    inside_callback = true;
    op.callback(fault);
    inside_callback = false;
  } else if (!fault) {
    result = op.run();
  }
  lock.lock();
  return result;
}

void run_first(const std::shared_ptr<Stream>& s, Lock& lock) {
  s->running = true;
  Operation& op = s->queue.front();  // stays where it is: only this thread takes from the queue
  now_running = {{s->number, op.seq}, op.clock, now_running.number + 1};
  if (const cudaError_t fault = run(op, s->device->fault, lock)) s->device->fault = fault;
  s->done = op.seq;
  const Operation over = std::move(op);
  s->queue.pop_front();
  s->running = false;
  forget_if_over(s);
  scheduler().progress.notify_all();
  lock.unlock();  // what the operation holds is destroyed without the lock: it may be the program's own
}

[[noreturn]] void device_thread() {
  static char signal_stack[65536];  // for a fiber that runs out of its own
  stack_t alternative{};
  alternative.ss_sp = signal_stack;
  alternative.ss_size = sizeof signal_stack;
  sigaltstack(&alternative, nullptr);
  is_device_thread = true;

  for (;;) {
    Lock lock(runtime_mutex());
    spread_wants();
    const Time now = std::chrono::steady_clock::now();
    if (const auto s = pick(now)) run_first(s, lock);
    else wait_for_work(now, lock);
  }
}

// The thread never ends, so the code that it runs must never be unloaded.
void keep_library_loaded() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&device_thread), &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace

bool on_device_thread() { return is_device_thread; }
bool in_callback() { return inside_callback; }
const Running& running() { return now_running; }
uint64_t operation_number() { return now_running.number; }

void start_device_thread() {
  static bool started = false;
  if (started) return;
  started = true;
  keep_library_loaded();
  std::thread(device_thread).detach();
}

}  // namespace cuemu
