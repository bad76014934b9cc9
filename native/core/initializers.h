// Fills new tables. Element i (row-major) is a pure function of (seed, i): the same bits for any number of threads, on
// every machine, and on devices.
#pragma once

#include <atomic>
#include <cstdint>

#include "core/initial_values.h"
#include "core/parallel.h"
#include "core/table.h"

namespace sampled_softmax {

// Fills a table that holds zeros. Stops early, with an undefined content, once `stop` is true.
void initialize(Table& table, const Initializer& initializer, ParallelFor parallel_for, const std::atomic<bool>& stop);

// The z below which a standard normal variable lies with probability 1/2 + q, for |q| <= 1/2 - 2^-53. Relative error
// below 4e-16 within |q| <= 0.425, below 2e-15 beyond.
double normal_quantile(double q);

}  // namespace sampled_softmax
