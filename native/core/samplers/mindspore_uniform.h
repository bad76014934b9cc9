// MindSpore's uniform sampler, in the stream of its GPU kernel: std::default_random_engine of libstdc++
// (minstd_rand0) and libstdc++'s uniform_int_distribution, both written out, since the standard leaves the
// latter open.
#pragma once

#include "core/samplers/sampler.h"

namespace sampled_softmax {

// x -> 16807 x mod (2^31 - 1).
class MinstdRand0 {
 public:
  static constexpr uint64_t kModulus = 2147483647;

  explicit MinstdRand0(uint64_t seed) : x_(seed % kModulus ? seed % kModulus : 1) {}
  uint64_t next() { return x_ = x_ * 16807 % kModulus; }  // 1 .. modulus - 1
  uint64_t state() const { return x_; }

  // What libstdc++'s uniform_int_distribution gives for [0, n), 1 <= n <= 2^31 - 1.
  uint64_t uniform(uint64_t n);

 private:
  uint64_t x_;
};

// Always without repeats. With `avoid_true_classes` no class is drawn that is a true class of any row, as
// long as S + true classes (repeats counted) <= range, the GPU kernel's rule; where there is less room, none
// is avoided.
std::unique_ptr<Sampler> make_mindspore_uniform_sampler(int64_t range, int64_t num_sampled, uint64_t seed,
                                                        bool avoid_true_classes);

}  // namespace sampled_softmax
