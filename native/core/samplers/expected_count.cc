#include "core/samplers/expected_count.h"

#include <cmath>

#include "core/samplers/kernels.h"

namespace sampled_softmax {

float expected_count(double p, const Tries& tries) {
  if (tries.float32_steps) {
    const float q = static_cast<float>(p);
    if (tries.draws == tries.sampled) return q * static_cast<float>(tries.sampled);
    return -std::expm1(static_cast<float>(tries.draws) * std::log1p(-q));
  }
  if (tries.draws == tries.sampled) return static_cast<float>(p * static_cast<double>(tries.sampled));
  return static_cast<float>(-std::expm1(static_cast<double>(tries.draws) * std::log1p(-p)));
}

void expected_counts(const double* p, size_t length, const Tries& tries, float* counts) {
  if (tries.draws == tries.sampled) {
    for (size_t i = 0; i < length; ++i) counts[i] = expected_count(p[i], tries);
    return;
  }
  const double draws = tries.float32_steps ? static_cast<float>(tries.draws) : static_cast<double>(tries.draws);
  if (!draw_kernels().expected_counts(p, length, draws, tries.float32_steps, counts)) return;
  for (size_t i = 0; i < length; ++i) {
    if (p[i] > kSeriesProbability) counts[i] = expected_count(p[i], tries);
  }
}

}  // namespace sampled_softmax
