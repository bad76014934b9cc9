#include "cpu/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/wait.h"
#include "cpu/available_threads.h"

namespace sampled_softmax {
namespace {

// Waking a sleeping thread costs about 5 to 50 us, a step of a small model 50: so workers look for the next job for
// about as long as a training loop needs between two steps before they sleep. No longer: a spinning pool would take a
// core from the event loop, and so does one whose workers wake for jobs that want fewer: after setThreads(8),
// setThreads(2) and small steps on two cores, each took four times as long.
constexpr auto kSpin = std::chrono::microseconds(200);

struct Job {
  ParallelBody body = nullptr;
  void* context = nullptr;
  int64_t count = 0;
};

// Who may join the job, and who has, in one word: to join is to add one to `inside` of a word that is still open.
struct State {
  static constexpr uint64_t kOpen = 1, kOwnerSleeps = 2, kOneInside = 4;
  static constexpr int kWantedAt = 16, kGenerationAt = 32;
  static_assert(kMaxPoolThreads < (1 << 13), "as many may be inside");

  static uint64_t of(uint64_t generation, int wanted) {
    return generation << kGenerationAt | static_cast<uint64_t>(wanted) << kWantedAt | kOpen;
  }
  static uint64_t generation(uint64_t state) { return state >> kGenerationAt; }
  static int wanted(uint64_t state) { return static_cast<int>(state >> kWantedAt & 0xffff); }
  static uint64_t inside(uint64_t state) { return (state & ((1 << kWantedAt) - 1)) / kOneInside; }
};

struct Pool {
  std::mutex owner;  // held by the caller whose job the workers run
  std::mutex mutex;  // of those who sleep
  std::condition_variable done;
  std::deque<std::condition_variable> wake;  // of each worker, from number 1 on
  int started = 0;                           // worker threads in existence; the owner's
  std::atomic<int> threads{0};               // as set; 0: not yet known

  // In one line, so that a worker that joins has to wait for a line once (200 ns) and not three times. The job is
  // written while nobody is inside and the state is not open.
  alignas(64) std::atomic<uint64_t> state{0};
  std::atomic<int64_t> next{0};
  Job job;
};

Pool* make_pool() { return new Pool; }
std::atomic<Pool*> the_pool{nullptr};

// A child of fork() has no workers: it starts over with a pool of its own.
void after_fork_in_child() {
  Pool* fresh = make_pool();
  if (Pool* old = the_pool.load()) fresh->threads.store(old->threads.load());
  the_pool.store(fresh);
}

Pool& pool() {
  static const bool made = [] {
    the_pool.store(make_pool());
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
    return true;
  }();
  (void)made;
  return *the_pool.load(std::memory_order_relaxed);
}

thread_local bool inside_job = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Calls `done` until it says so, for kSpin at most.
template <class F>
bool look_for(F&& done) {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  for (;;) {
    // The clock takes as long as several looks.
    for (int i = 0; i < 8; ++i, pause()) {
      if (done()) return true;
    }
    if (std::chrono::steady_clock::now() >= until) return false;
  }
}

void run_share(Pool& p, int worker) {
  const Job job = p.job;
  for (;;) {
    const int64_t index = p.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= job.count) return;
    job.body(job.context, index, worker);
  }
}

// Whether a worker that it wants may run the job of `state`, which it then has to leave.
bool join(Pool& p, uint64_t state) {
  const uint64_t generation = State::generation(state);
  while (State::generation(state) == generation && (state & State::kOpen)) {
    if (p.state.compare_exchange_weak(state, state + State::kOneInside, std::memory_order_acquire)) return true;
  }
  return false;
}

void leave(Pool& p) {
  const uint64_t before = p.state.fetch_sub(State::kOneInside, std::memory_order_release);
  if (State::inside(before) > 1 || !(before & State::kOwnerSleeps)) return;
  std::lock_guard<std::mutex> lock(p.mutex);
  p.done.notify_one();
}

void work(Pool* p, int worker, std::condition_variable* wake) {
  inside_job = true;
  uint64_t seen = 0;
  for (;;) {
    uint64_t state = 0;
    const auto new_job = [&] {
      state = p->state.load(std::memory_order_acquire);
      return State::generation(state) != seen && worker <= State::wanted(state);
    };
    if (!look_for(new_job)) {
      std::unique_lock<std::mutex> lock(p->mutex);
      wait_for(*wake, lock, new_job);
    }
    seen = State::generation(state);
    if (!join(*p, state)) continue;
    run_share(*p, worker);
    leave(*p);
  }
}

}  // namespace

int pool_threads() {
  Pool& p = pool();
  int threads = p.threads.load(std::memory_order_relaxed);
  if (threads == 0) {
    threads = std::min(default_threads(), kMaxPoolThreads);
    int unknown = 0;
    if (!p.threads.compare_exchange_strong(unknown, threads)) threads = unknown;
  }
  return threads;
}

void set_pool_threads(int threads) {
  pool().threads.store(std::clamp(threads, 1, kMaxPoolThreads), std::memory_order_relaxed);
}

void wait_for_count(const std::atomic<int64_t>& counter, int64_t value) {
  while (!look_for([&] { return counter.load(std::memory_order_acquire) == value; })) std::this_thread::yield();
}

void parallel_for_erased(int64_t count, int threads, ParallelBody body, void* context) {
  Pool& p = pool();
  const auto alone = [&] {
    for (int64_t index = 0; index < count; ++index) body(context, index, 0);
  };
  if (count <= 1 || inside_job || threads <= 1) return alone();
  std::unique_lock<std::mutex> owner(p.owner, std::try_to_lock);
  if (!owner.owns_lock()) return alone();
  const int helpers = static_cast<int>(std::min<int64_t>(threads - 1, count - 1));
  while (p.started < helpers) {
    try {
      if (static_cast<int>(p.wake.size()) == p.started) p.wake.emplace_back();
      std::thread(work, &p, p.started + 1, &p.wake.back()).detach();
    } catch (const std::system_error&) {
      break;  // no more threads to be had: go on with those that there are
    }
    ++p.started;
  }
  p.job = {body, context, count};
  p.next.store(0, std::memory_order_relaxed);
  const uint64_t generation = State::generation(p.state.load(std::memory_order_relaxed)) + 1;
  const int wanted = std::min(helpers, p.started);
  {
    // A worker looks at the state under this mutex before it sleeps.
    std::lock_guard<std::mutex> lock(p.mutex);
    p.state.store(State::of(generation, wanted), std::memory_order_release);
  }
  for (int i = 0; i < wanted; ++i) p.wake[static_cast<size_t>(i)].notify_one();
  inside_job = true;
  run_share(p, 0);
  inside_job = false;
  p.state.fetch_and(~State::kOpen, std::memory_order_relaxed);
  const auto all_left = [&] { return State::inside(p.state.load(std::memory_order_acquire)) == 0; };
  // The others end within a share of each other: to sleep and be woken would cost more than to look a little longer.
  if (look_for(all_left)) return;
  std::unique_lock<std::mutex> lock(p.mutex);
  p.state.fetch_or(State::kOwnerSleeps, std::memory_order_relaxed);
  wait_for(p.done, lock, all_left);
}

}  // namespace sampled_softmax
