// What the tests of the samplers share: one draw, and how it is compared.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "check.h"
#include "core/samplers/sampler.h"

namespace sampled_softmax {

struct Drawn {
  Status status;
  std::vector<int64_t> classes;
  std::vector<float> sampled, truth;
  int64_t tries = 0;
};

inline Drawn draw(Sampler& sampler, const std::vector<int64_t>& labels) {
  Drawn d;
  d.classes.resize(static_cast<size_t>(sampler.num_sampled()));
  d.sampled.resize(d.classes.size());
  d.truth.resize(labels.size());
  Sample sample{d.classes.data(), d.sampled.data(), labels.data(), labels.size(), d.truth.data(), 0};
  d.status = sampler.draw(sample);
  d.tries = sample.num_tries;
  return d;
}

inline SamplerOptions options(int64_t range, int64_t num_sampled, bool unique) {
  SamplerOptions o;
  o.range = range;
  o.num_sampled = num_sampled;
  o.unique = unique;
  o.generator = philox_from_seeds(87654321, 1);
  return o;
}

inline int64_t ulps(float a, float b) {
  int32_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return std::abs(static_cast<int64_t>(x) - y);
}

inline void check_draw(const char* what, const Drawn& got, const std::vector<int64_t>& classes,
                       const std::vector<float>& truth, const std::vector<float>& sampled) {
  CHECK(got.status.ok(), "%s: %s", what, got.status.message);
  CHECK(got.classes == classes, "%s: other classes, first %lld", what, static_cast<long long>(got.classes[0]));
  for (size_t i = 0; i < truth.size(); ++i) {
    CHECK(ulps(got.truth[i], truth[i]) <= 4, "%s: true count %zu is %.9g", what, i, double{got.truth[i]});
  }
  for (size_t i = 0; i < sampled.size(); ++i) {
    CHECK(ulps(got.sampled[i], sampled[i]) <= 4, "%s: sampled count %zu is %.9g", what, i, double{got.sampled[i]});
  }
}

}  // namespace sampled_softmax
