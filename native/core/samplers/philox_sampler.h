// What the samplers on TensorFlow's generator share: a copy of the generator per call, rejection of repeats,
// and the skip to where the next call begins. A distribution supplies single draws and counts.
#pragma once

#include "core/samplers/expected_count.h"
#include "core/samplers/sampler.h"
#include "core/samplers/word_stream.h"

namespace sampled_softmax {

class PhiloxSampler : public Sampler {
 protected:
  explicit PhiloxSampler(const SamplerOptions& options)
      : Sampler(options.range, options.num_sampled, options.unique),
        generator_(options.generator),
        tensorflow_skip_(options.tensorflow_skip) {}

  // At most so many draws are asked for at a time.
  static constexpr size_t kChunk = 128;

  SamplerState state_locked() const override;
  Status restore_locked(const SamplerState& state) override;

 private:
  // The next `count` single draws.
  virtual void pick(WordStream& words, int64_t* classes, size_t count) = 0;
  virtual void count(const int64_t* classes, size_t length, const Tries& tries, float* counts) const = 0;
  // After a draw that succeeded.
  virtual void learn(const int64_t* /*true_classes*/, size_t /*length*/) {}

  Status draw_locked(Sample& sample) final;
  Status draw_distinct(WordStream& words, Sample& sample);

  Philox generator_;
  const bool tensorflow_skip_;
};

}  // namespace sampled_softmax
