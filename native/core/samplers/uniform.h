// Every class of [0, range) alike, for ranges up to 2^63 - 1.
#pragma once

#include "core/samplers/sampler.h"

namespace sampled_softmax {

std::unique_ptr<Sampler> make_uniform_sampler(const SamplerOptions& options);

}  // namespace sampled_softmax
