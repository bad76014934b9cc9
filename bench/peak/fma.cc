// The most float32 multiply-adds that the processor can do: chains in registers, on all threads at once.
// Usage: fma THREADS SECONDS. Prints GFLOP/s over about so many seconds.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kBytes = 64, kChains = 24;
#elif defined(__AVX__)
constexpr int kBytes = 32, kChains = 12;  // 16 registers, of which the chains must leave two
#elif defined(__aarch64__)
constexpr int kBytes = 16, kChains = 24;
#else
constexpr int kBytes = 16, kChains = 12;
#endif

typedef float Vector __attribute__((vector_size(kBytes)));
constexpr double kFlopsPerStep = 2.0 * kChains * (kBytes / sizeof(float));
constexpr int kStepsPerCheck = 20000;

using Clock = std::chrono::steady_clock;

// Enough independent chains to cover the latency of every unit. Returns steps done until `end`.
static long run(Clock::time_point end, float* sink) {
  Vector chain[kChains], factor, addend;
  for (unsigned i = 0; i < kBytes / sizeof(float); ++i) factor[i] = 0.999f, addend[i] = 1e-3f;
  for (Vector& c : chain) c = addend;
  long steps = 0;
  do {
    for (int s = 0; s < kStepsPerCheck; ++s) {
#pragma GCC unroll 24
      for (int c = 0; c < kChains; ++c) chain[c] = chain[c] * factor + addend;
    }
    steps += kStepsPerCheck;
  } while (Clock::now() < end);
  for (const Vector& c : chain) *sink += c[0];
  return steps;
}

static double gflops(int threads, double seconds_wanted) {
  std::atomic<long> steps{0};
  std::atomic<float> keep{0};
  const Clock::time_point start = Clock::now();
  const Clock::time_point end = start + std::chrono::microseconds(static_cast<int64_t>(seconds_wanted * 1e6));
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      float sink = 0;
      steps += run(end, &sink);
      keep = sink;
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return kFlopsPerStep * static_cast<double>(steps) / seconds * 1e-9;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  std::printf("%.1f\n", gflops(threads, argc > 2 ? std::atof(argv[2]) : 0.5));
}
