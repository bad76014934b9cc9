// The loops of a draw that are worth wide vectors, one table of functions per instruction set. They give the
// same bits on every set: fixed orders of operations, no fused products (-ffp-contract=off), no libm.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/instruction_set.h"

namespace sampled_softmax {

struct DrawKernels {
  // Words of 8 blocks, from block number counter_low on; counter_low + 8 does not overflow.
  void (*philox8)(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* words);

  // x[i] = u * factor, with u in [0, 1) in steps of 2^-52: 20 bits of a pair's first word above the 32 of its
  // second.
  void (*scaled_uniforms)(const uint64_t* pairs, size_t length, double factor, double* x);

  // classes[i] = floor(e^x[i]) - 1, or -1 where an integer lies within the error of the series. True where
  // one did. For 0 <= x < 34 or so: e^x must be exact to an integer in double.
  bool (*log_uniform_classes)(const double* x, size_t length, int64_t* classes);

  // p[i] = ln((k + 2) / (k + 1)) / log_range for k = p[i]; rounded to float32 where asked.
  void (*log_uniform_probabilities)(double* p, size_t length, double log_range, bool float32);

  // counts[i] = 1 - (1 - p[i])^draws, in TensorFlow's three float32 steps where asked, else in double. True
  // where a p[i] was above kSeriesProbability, and its count is not to be used.
  bool (*expected_counts)(const double* p, size_t length, double draws, bool float32_steps, float* counts);
};

// Beyond this, ln((1 + s) / (1 - s)) with s = p / (2 - p) leaves the range of its series.
constexpr double kSeriesProbability = 0.5;

// A result of series_exp within this share of an integer may lie on the other side of it than libm's exp,
// which may err by a unit in the last place itself.
constexpr double kNearInteger = 1.5e-11;

// Those of the instruction set in use.
const DrawKernels& draw_kernels();
// Those of one that the processor has.
const DrawKernels& draw_kernels(InstructionSet set);

}  // namespace sampled_softmax
