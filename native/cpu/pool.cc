#include "cpu/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/wait.h"
#include "cpu/available_threads.h"

namespace sampled_softmax {
namespace {

// Waking a sleeping thread costs about 5 to 50 us, a step of a small model 50: so workers look for the next job for
// about as long as a training loop needs between two steps before they sleep. No longer: a spinning pool would take a
// core from the event loop.
constexpr auto kSpin = std::chrono::microseconds(200);

struct Job {
  ParallelBody body = nullptr;
  void* context = nullptr;
  int64_t count = 0;
};

struct Pool {
  std::mutex owner;  // held by the caller whose job the workers run
  std::mutex mutex;
  std::condition_variable wake, done;

  // The job; written under `mutex` while no worker is inside.
  Job job;
  int wanted = 0;  // workers that may join this job
  std::atomic<int64_t> next{0};
  std::atomic<uint64_t> generation{0};  // of the job
  std::atomic<int> inside{0};           // workers that have joined and not left
  int started = 0;                      // worker threads in existence

  std::atomic<int> threads{0};  // as set; 0: not yet known
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
#endif
}

// The job's own copy: a thread inside may look for a last index while the owner takes the job off the pool.
void run_share(Pool& p, Job job, int worker) {
  for (;;) {
    const int64_t index = p.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= job.count) return;
    job.body(job.context, index, worker);
  }
}

void work(Pool* p, int worker) {
  inside_job = true;
  uint64_t seen = 0;
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + kSpin;
    while (p->generation.load(std::memory_order_acquire) == seen && std::chrono::steady_clock::now() < until) pause();
    Job job;
    {
      std::unique_lock<std::mutex> lock(p->mutex);
      wait_for(p->wake, lock, [&] { return p->generation.load(std::memory_order_relaxed) != seen; });
      seen = p->generation.load(std::memory_order_relaxed);
      if (worker > p->wanted || !p->job.body) continue;
      job = p->job;
      p->inside.fetch_add(1, std::memory_order_relaxed);
    }
    run_share(*p, job, worker);
    std::lock_guard<std::mutex> lock(p->mutex);
    if (p->inside.fetch_sub(1, std::memory_order_release) == 1) p->done.notify_one();
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

void parallel_for_erased(int64_t count, int threads, ParallelBody body, void* context) {
  Pool& p = pool();
  const auto alone = [&] {
    for (int64_t index = 0; index < count; ++index) body(context, index, 0);
  };
  if (count <= 1 || inside_job || threads <= 1) return alone();
  std::unique_lock<std::mutex> owner(p.owner, std::try_to_lock);
  if (!owner.owns_lock()) return alone();
  const int helpers = static_cast<int>(std::min<int64_t>(threads - 1, count - 1));
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    while (p.started < helpers) {
      try {
        std::thread(work, &p, p.started + 1).detach();
      } catch (const std::system_error&) {
        break;  // no more threads to be had: go on with those that there are
      }
      ++p.started;
    }
    p.job = {body, context, count};
    p.wanted = std::min(helpers, p.started);
    p.next.store(0, std::memory_order_relaxed);
    p.generation.fetch_add(1, std::memory_order_release);
  }
  p.wake.notify_all();
  inside_job = true;
  run_share(p, {body, context, count}, 0);
  inside_job = false;
  // The others end within a share of each other: to sleep and be woken would cost more than to look a little longer.
  const auto until = std::chrono::steady_clock::now() + kSpin;
  while (p.inside.load(std::memory_order_acquire) != 0 && std::chrono::steady_clock::now() < until) pause();
  std::unique_lock<std::mutex> lock(p.mutex);
  p.job.body = nullptr;  // a worker that wakes up now finds nothing to join
  wait_for(p.done, lock, [&] { return p.inside.load(std::memory_order_relaxed) == 0; });
}

}  // namespace sampled_softmax
