// The log-uniform (Zipf) distribution: P(k) = ln((k + 2) / (k + 1)) / ln(range + 1), for classes sorted by
// falling frequency and ranges up to 2^63 - 1.
#pragma once

#include "core/samplers/sampler.h"

namespace sampled_softmax {

std::unique_ptr<Sampler> make_log_uniform_sampler(const SamplerOptions& options);

// The class of each x = u * ln(range + 1), u in [0, 1): floor(e^x) - 1, bit-equal to what libm's exp gives:
// e^x comes from a series of known error, and libm is asked wherever an integer lies within that error.
// Returns how often it was.
size_t log_uniform_classes(const double* x, size_t length, int64_t range, int64_t* classes);

}  // namespace sampled_softmax
