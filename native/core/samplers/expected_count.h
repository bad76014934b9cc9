// How often a class is to be expected in a sample of S, given the probability p of one draw and the number of
// draws n that the sample took: p * S where no draw was rejected (always so with repeats), else 1 - (1 -
// p)^n. TensorFlow's rule, kept with its two oddities: the count depends on the draws that happened, and p *
// S can exceed 1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sampled_softmax {

struct Tries {
  int64_t sampled;  // S
  int64_t draws;    // n >= S
  // True: every step rounded to float32 in TensorFlow's order, and p is a float32 number. False: double to
  // the end.
  bool float32_steps;
};

// Ranges up to here follow TensorFlow's float32; beyond, its quotient (k + 2) / (k + 1) in double has lost
// more than float32 shows, and counts are computed in double from end to end.
constexpr int64_t kFloat32StepsLimit = int64_t{1} << 28;

// One class; libm.
float expected_count(double p, const Tries& tries);

// The same for many, by series; at most one unit in the last place of float32 from the above at each of
// TensorFlow's three roundings.
void expected_counts(const double* p, size_t length, const Tries& tries, float* counts);

}  // namespace sampled_softmax
