#include "core/samplers/mindspore_uniform.h"

#include <algorithm>

#include "core/samplers/distinct.h"
#include "core/samplers/expected_count.h"

namespace sampled_softmax {
namespace {

class MindSporeUniformSampler final : public Sampler {
 public:
  MindSporeUniformSampler(int64_t range, int64_t num_sampled, uint64_t seed, bool avoid_true_classes)
      : Sampler(range, num_sampled, true), engine_(seed), avoid_true_classes_(avoid_true_classes) {}

 private:
  Status draw_locked(Sample& sample) override {
    const int64_t num_true = static_cast<int64_t>(sample.num_true_classes);
    const bool avoid = avoid_true_classes_ && num_true <= range() - num_sampled();
    const size_t wanted = static_cast<size_t>(num_sampled());
    DistinctClasses& seen = DistinctClasses::of_this_thread();
    seen.start(range(), num_sampled() + (avoid ? num_true : 0));
    if (avoid) {
      for (size_t i = 0; i < sample.num_true_classes; ++i) seen.insert(sample.true_classes[i]);
    }
    const int64_t limit = draw_limit(num_sampled());
    size_t held = 0;
    sample.num_tries = 0;
    while (held < wanted && sample.num_tries < limit) {
      const int64_t id = static_cast<int64_t>(engine_.uniform(static_cast<uint64_t>(range())));
      seen.keep_new(&id, 1, sample.classes, &held, wanted);
      ++sample.num_tries;
    }
    seen.forget(sample.classes, held);
    if (avoid) seen.forget(sample.true_classes, sample.num_true_classes);
    if (held < wanted) return draw_limit_reached(held, sample.num_tries);
    // TensorFlow's rule with the probability of a draw among all classes, avoided ones included.
    const Tries tries{num_sampled(), sample.num_tries, range() <= kFloat32StepsLimit};
    const float count = expected_count(1.0 / static_cast<double>(range()), tries);
    std::fill_n(sample.expected_count, wanted, count);
    std::fill_n(sample.true_expected_count, sample.num_true_classes, count);
    return {};
  }

  SamplerState state_locked() const override { return {{engine_.state()}, {}, {}}; }

  Status restore_locked(const SamplerState& state) override {
    if (state.generator.size() != 1 || state.generator[0] < 1 || state.generator[0] >= MinstdRand0::kModulus) {
      return Status::error(Code::invalid_argument, "state.generator: expected one word in [1, 2147483646]");
    }
    engine_ = MinstdRand0(state.generator[0]);
    return {};
  }

  MinstdRand0 engine_;
  const bool avoid_true_classes_;
};

}  // namespace

uint64_t MinstdRand0::uniform(uint64_t n) {
  constexpr uint64_t kOutcomes = kModulus - 1;
  if (n == kOutcomes) return next() - 1;
  if (n > kOutcomes) {  // n is the modulus: two draws, of which the first says whether the last class is meant
    uint64_t draw;
    do {
      draw = kOutcomes * uniform(2);
      draw += next() - 1;
    } while (draw >= n);
    return draw;
  }
  const uint64_t scaling = (kOutcomes - 1) / n, past = n * scaling;
  uint64_t draw;
  do {
    draw = next() - 1;
  } while (draw >= past);
  return draw / scaling;
}

std::unique_ptr<Sampler> make_mindspore_uniform_sampler(int64_t range, int64_t num_sampled, uint64_t seed,
                                                        bool avoid_true_classes) {
  return std::make_unique<MindSporeUniformSampler>(range, num_sampled, seed, avoid_true_classes);
}

}  // namespace sampled_softmax
