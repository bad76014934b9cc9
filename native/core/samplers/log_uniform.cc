#include "core/samplers/log_uniform.h"

#include <algorithm>
#include <cmath>

#include "core/samplers/kernels.h"
#include "core/samplers/philox_sampler.h"

namespace sampled_softmax {
namespace {

// From here on every other result would lie near an integer, so libm does them all.
constexpr int64_t kLargestBySeries = 10'000'000'000;

int64_t class_by_libm(double x, int64_t range) {
  const double value = std::exp(x);
  // Rounding can reach the end of the range; TensorFlow's remainder makes class 0 of that.
  if (value >= 9223372036854775808.0) return INT64_MAX % range;
  return (static_cast<int64_t>(value) - 1) % range;
}

class LogUniformSampler final : public PhiloxSampler {
 public:
  explicit LogUniformSampler(const SamplerOptions& options)
      : PhiloxSampler(options), log_range_(std::log1p(static_cast<double>(options.range))) {}

 private:
  void pick(WordStream& words, int64_t* classes, size_t count) override {
    uint64_t pairs[kChunk];
    double x[kChunk];
    words.pairs(pairs, count);
    draw_kernels().scaled_uniforms(pairs, count, log_range_, x);
    log_uniform_classes(x, count, range(), classes);
  }

  void count(const int64_t* classes, size_t length, const Tries& tries, float* counts) const override {
    double p[kChunk];
    for (size_t start = 0; start < length; start += kChunk) {
      const size_t size = std::min(length - start, kChunk);
      for (size_t i = 0; i < size; ++i) p[i] = static_cast<double>(classes[start + i]);
      draw_kernels().log_uniform_probabilities(p, size, log_range_, tries.float32_steps);
      expected_counts(p, size, tries, counts + start);
    }
  }

  const double log_range_;
};

}  // namespace

size_t log_uniform_classes(const double* x, size_t length, int64_t range, int64_t* classes) {
  if (range > kLargestBySeries) {
    for (size_t i = 0; i < length; ++i) classes[i] = class_by_libm(x[i], range);
    return length;
  }
  if (!draw_kernels().log_uniform_classes(x, length, classes)) return 0;
  size_t asked = 0;
  for (size_t i = 0; i < length; ++i) {
    if (classes[i] >= 0) continue;
    classes[i] = class_by_libm(x[i], range);
    ++asked;
  }
  return asked;
}

std::unique_ptr<Sampler> make_log_uniform_sampler(const SamplerOptions& options) {
  return std::make_unique<LogUniformSampler>(options);
}

}  // namespace sampled_softmax
