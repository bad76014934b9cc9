// The distribution that the true classes themselves have shown so far: every class starts at 1, and each true
// class of a batch (repeats count) adds 1 after that batch's draw, until the weights sum to 2^31 - 1.
#pragma once

#include "core/samplers/sampler.h"

namespace sampled_softmax {

// Ranges up to 2^31 - 2: the sum of the weights is a signed 32-bit number in the reference, and starts at the
// range.
constexpr int64_t kLargestLearnedRange = INT32_MAX - 1;

Status make_learned_unigram_sampler(const SamplerOptions& options, std::unique_ptr<Sampler>* sampler);

}  // namespace sampled_softmax
