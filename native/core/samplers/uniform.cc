#include "core/samplers/uniform.h"

#include <algorithm>

#include "core/samplers/philox_sampler.h"

namespace sampled_softmax {
namespace {

class UniformSampler final : public PhiloxSampler {
 public:
  explicit UniformSampler(const SamplerOptions& options) : PhiloxSampler(options) {}

 private:
  void pick(WordStream& words, int64_t* classes, size_t count) override {
    const uint64_t n = static_cast<uint64_t>(range());
    if ((n & (n - 1)) == 0) {
      for (size_t i = 0; i < count; ++i) classes[i] = static_cast<int64_t>(words.next64() & (n - 1));
      return;
    }
    const uint64_t skewed = UINT64_MAX % n + 1;  // draws below would favour small classes
    for (size_t i = 0; i < count; ++i) {
      uint64_t draw;
      do {
        draw = words.next64();
      } while (draw < skewed);
      classes[i] = static_cast<int64_t>(draw % n);
    }
  }

  void count(const int64_t*, size_t length, const Tries& tries, float* counts) const override {
    std::fill_n(counts, length, expected_count(1.0 / static_cast<double>(range()), tries));
  }
};

}  // namespace

std::unique_ptr<Sampler> make_uniform_sampler(const SamplerOptions& options) {
  return std::make_unique<UniformSampler>(options);
}

}  // namespace sampled_softmax
