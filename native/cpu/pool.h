// The threads that calls share: one pool for the process, made at first use, leaked on purpose (the addon is linked
// -z nodelete, and a worker may sleep in it while the process exits).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace sampled_softmax {

constexpr int kMaxPoolThreads = 1024;

// Threads that a parallel_for may use, the caller included.
int pool_threads();
// 1..kMaxPoolThreads; for later calls of parallel_for.
void set_pool_threads(int threads);

using ParallelBody = void (*)(void* context, int64_t index, int worker);
void parallel_for_erased(int64_t count, int threads, ParallelBody body, void* context);

// Calls fn(index, worker) for each index in [0, count), each exactly once; worker is in [0, threads). Indexes are
// claimed in order by whoever is free, the caller included; returns when all are done. Inside another parallel_for, or
// while another caller has the workers, it runs in the calling thread alone, as worker 0: results must not depend on
// who runs what. fn must not throw. A caller with a block of memory for each worker asks for pool_threads() once: it
// may change at any time.
template <class F>
static inline void parallel_for(int64_t count, int threads, F&& fn) {
  using Body = std::remove_reference_t<F>;
  parallel_for_erased(
      count, threads, [](void* context, int64_t index, int worker) { (*static_cast<Body*>(context))(index, worker); },
      &fn);
}
template <class F>
static inline void parallel_for(int64_t count, F&& fn) {
  parallel_for(count, pool_threads(), fn);
}

// Waits until the counter is `value`, which tasks that others have claimed will make it.
void wait_for_count(const std::atomic<int64_t>& counter, int64_t value);

// Calls fn(index, worker) for each index in [0, count), and then next(index, worker) for each in [0, next_count): as
// two parallel_for, but no worker leaves in between.
template <class F, class G>
static inline void parallel_phases(int64_t count, int64_t next_count, int threads, F&& fn, G&& next) {
  std::atomic<int64_t> done{0};
  parallel_for(count + next_count, threads, [&](int64_t index, int worker) {
    if (index < count) {
      fn(index, worker);
      done.fetch_add(1, std::memory_order_release);
    } else {
      wait_for_count(done, count);
      next(index - count, worker);
    }
  });
}

// Where consecutive pieces of [0, count) begin, and where the last one ends: a `share`-th of what is left each, but
// `most` at the beginning and `fewest` towards the end, so that threads that take them in turn end together.
static inline std::vector<int64_t> pieces_of(int64_t count, int64_t share, int64_t most, int64_t fewest) {
  std::vector<int64_t> begins;
  begins.reserve(static_cast<size_t>(std::min<int64_t>(count / fewest, 64) + 2));
  for (int64_t at = 0; at < count; at += std::clamp((count - at) / share, fewest, most)) begins.push_back(at);
  begins.push_back(count);
  return begins;
}

// Calls fn(begin, end, worker) for pieces that `threads` take.
template <class F>
static inline void parallel_pieces(int64_t count, int threads, int64_t most, int64_t fewest, F&& fn) {
  const std::vector<int64_t> begins = pieces_of(count, 2 * threads, most, fewest);
  parallel_for(static_cast<int64_t>(begins.size()) - 1, threads, [&](int64_t piece, int worker) {
    const size_t i = static_cast<size_t>(piece);
    fn(begins[i], begins[i + 1], worker);
  });
}

}  // namespace sampled_softmax
