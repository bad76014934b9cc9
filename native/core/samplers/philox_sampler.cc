#include "core/samplers/philox_sampler.h"

#include <algorithm>

#include "core/samplers/distinct.h"

namespace sampled_softmax {
namespace {

// TensorFlow reserves 2048 words per class asked for, whatever the call needs; a call that needs more runs on
// into the next call's words.
uint64_t blocks_per_call(int64_t num_sampled, bool int32_overflow) {
  int64_t words = 2048 * num_sampled;
  if (int32_overflow) words = static_cast<int32_t>(static_cast<uint32_t>(words));
  return static_cast<uint64_t>((words + 3) / 4);
}

}  // namespace

Status PhiloxSampler::draw_locked(Sample& sample) {
  WordStream words(generator_);
  philox_skip(generator_, blocks_per_call(num_sampled(), tensorflow_skip_));
  if (unique()) {
    Status status = draw_distinct(words, sample);
    if (!status.ok()) return status;
  } else {
    for (int64_t drawn = 0; drawn < num_sampled(); drawn += kChunk) {
      const int64_t left = num_sampled() - drawn;
      pick(words, sample.classes + drawn, static_cast<size_t>(std::min<int64_t>(left, kChunk)));
    }
    sample.num_tries = num_sampled();
  }
  const Tries tries{num_sampled(), sample.num_tries, range() <= kFloat32StepsLimit};
  count(sample.classes, static_cast<size_t>(num_sampled()), tries, sample.expected_count);
  count(sample.true_classes, sample.num_true_classes, tries, sample.true_expected_count);
  learn(sample.true_classes, sample.num_true_classes);
  return {};
}

Status PhiloxSampler::draw_distinct(WordStream& words, Sample& sample) {
  DistinctClasses& seen = DistinctClasses::of_this_thread();
  seen.start(range(), num_sampled());
  const size_t wanted = static_cast<size_t>(num_sampled());
  const int64_t limit = draw_limit(num_sampled());
  int64_t candidates[kChunk];
  size_t held = 0;
  sample.num_tries = 0;
  while (held < wanted && sample.num_tries < limit) {
    const size_t size = std::min(kChunk, std::max<size_t>(wanted - held, 8));
    pick(words, candidates, size);
    sample.num_tries += static_cast<int64_t>(seen.keep_new(candidates, size, sample.classes, &held, wanted));
  }
  seen.forget(sample.classes, held);
  return held == wanted ? Status{} : draw_limit_reached(held, sample.num_tries);
}

SamplerState PhiloxSampler::state_locked() const {
  return {{generator_.key, generator_.counter_low, generator_.counter_high}, {}, {}};
}

Status PhiloxSampler::restore_locked(const SamplerState& state) {
  if (state.generator.size() != 3) return Status::error(Code::invalid_argument, "state.generator: expected 3 words");
  generator_ = {state.generator[0], state.generator[1], state.generator[2]};
  return {};
}

}  // namespace sampled_softmax
