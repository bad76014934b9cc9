// No sampling at all: every class of [0, range) once, in order, each with the count 1. A sampled softmax over
// it is the full softmax.
#pragma once

#include "core/samplers/sampler.h"

namespace sampled_softmax {

std::unique_ptr<Sampler> make_all_candidate_sampler(int64_t range);

}  // namespace sampled_softmax
