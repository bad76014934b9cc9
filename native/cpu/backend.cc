// The CPU backend: which driver and which arithmetic a problem gets.
#include "core/backend.h"

#include <algorithm>
#include <cstdio>
#include <new>

#include "cpu/blocks.h"
#include "cpu/dispatch.h"
#include "cpu/pool.h"
#include "cpu/scratch.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

template <class T>
void clear(const RowGradients& gradients, int64_t width) {
  T* values = static_cast<T*>(gradients.values);
  if (values) std::fill(values, values + gradients.num_rows * width, T(0));
}

// Large outputs are usually fresh from the system. Threads that write side by side would wait for the same huge pages
// (10 of 60 ms with 34 MB of class gradients), so each page is touched by one thread first. By a write: a read would
// map the shared page of zeros, and the write after it would copy that one and interrupt every thread.
void prepare_output(void* data, int64_t bytes, int threads) {
  constexpr int64_t kTask = int64_t{2} << 20, kPage = 4096;
  if (!data || bytes < 4 * kTask) return;
  prefer_huge_pages(data, static_cast<size_t>(bytes));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data), end = begin + static_cast<uintptr_t>(bytes);
  const uintptr_t first = begin / kTask * kTask;
  parallel_for(static_cast<int64_t>((end - first + kTask - 1) / kTask), threads, [&](int64_t task, int) {
    const uintptr_t from = first + static_cast<uintptr_t>(task * kTask);
    for (uintptr_t at = std::max(from, begin); at < std::min(from + kTask, end); at += kPage) {
      // Leaves the caller's elements what they are, should the call fail after this.
      __atomic_fetch_or(reinterpret_cast<char*>(at), 0, __ATOMIC_RELAXED);
    }
  });
}

template <class T>
Status run(const SampledProblem& problem, bool full) {
  if (problem.batch == 0) {
    clear<T>(problem.weight_gradients, problem.dim);
    clear<T>(problem.bias_gradients, 1);
    return {};
  }
  Step<T> step(problem, full, pool_threads());
  const int64_t dim_bytes = problem.dim * static_cast<int64_t>(sizeof(T));
  prepare_output(problem.input_gradients, problem.batch * dim_bytes, step.threads);
  prepare_output(problem.weight_gradients.values, problem.weight_gradients.num_rows * dim_bytes, step.threads);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (can_reduce(step)) return run_reduced(step);
  }
  if (problem.dim > kLongestPacked) return run_sliced(step);
  if (can_group(step)) return run_grouped(step);
  if (can_range(step)) return run_ranged(step);
  return can_keep(step) ? run_kept(step) : run_streamed(step);
}

Status run(const SampledProblem& problem, bool full) {
  try {
    return problem.float64 ? run<double>(problem, full) : run<float>(problem, full);
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, "not enough memory for the call");
  }
}

Status start_sampled_loss(const SampledProblem& problem, Notify, PendingCall** pending) {
  *pending = nullptr;
  return run(problem, false);
}

Status start_softmax_loss(const SoftmaxProblem& problem, Notify, PendingCall** pending) {
  *pending = nullptr;
  return run(as_sampled(problem), true);
}

Status finish(PendingCall*) { return {}; }

Status count_devices(int32_t* count) {
  *count = 1;
  return {};
}

Status device_info(int32_t, DeviceInfo* info) {
  std::snprintf(info->name, sizeof info->name, "%s", kernels().name);
  return {};
}

Status release_memory() {
  Scratch::release_kept();
  return {};
}

}  // namespace

const Backend& cpu_backend() {
  static const Backend backend{kBackendVersion,    "cpu",  count_devices,  device_info, start_sampled_loss,
                               start_softmax_loss, finish, release_memory, nullptr};
  return backend;
}

}  // namespace sampled_softmax
