// What a new table holds. Element i (row-major) is a pure function of (seed, i): the same bits for any number of
// threads and on every machine, since only integer arithmetic and + - * / sqrt are used, which IEEE 754 defines to the
// bit (no libm; the build forbids fused products).
#pragma once

#include <atomic>
#include <cstdint>

#include "core/parallel.h"
#include "core/table.h"

namespace sampled_softmax {

enum class Distribution : int32_t {
  zeros = 0,
  uniform = 1,           // between first and second
  normal = 2,            // mean first, standard deviation second
  truncated_normal = 3,  // as normal, without what lies more than two standard deviations from the mean
  glorot_uniform = 4,    // uniform between -l and l, l = sqrt(6 / (rows + dim))
};

struct Initializer {
  Distribution distribution = Distribution::zeros;
  double first = 0, second = 0;
  uint64_t seed = 0;
};

// Fills a table that holds zeros. Stops early, with an undefined content, once `stop` is true.
void initialize(Table& table, const Initializer& initializer, ParallelFor parallel_for, const std::atomic<bool>& stop);

// The z below which a standard normal variable lies with probability 1/2 + q, for |q| <= 1/2 - 2^-53. Relative error
// below 4e-16 within |q| <= 0.425, below 2e-15 beyond.
double normal_quantile(double q);

}  // namespace sampled_softmax
