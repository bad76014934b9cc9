#include "core/samplers/sampler.h"

namespace sampled_softmax {

Status Sampler::draw(Sample& sample) {
  std::lock_guard<std::mutex> lock(mutex_);
  return draw_locked(sample);
}

SamplerState Sampler::state() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return state_locked();
}

Status Sampler::restore(const SamplerState& state) {
  std::lock_guard<std::mutex> lock(mutex_);
  return restore_locked(state);
}

Status Sampler::draw_limit_reached(size_t held, int64_t tries) const {
  return Status::error(Code::draw_limit, "the sampler found only %zu of %lld distinct classes in %lld draws", held,
                       static_cast<long long>(num_sampled_), static_cast<long long>(tries));
}

}  // namespace sampled_softmax
