// A candidate sampler: draws S classes for a batch, and says how often each sampled and each true class was
// to be expected in the sample. One file per distribution implements it; make_*_sampler() in each header is
// the way in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/random/philox.h"
#include "core/status.h"

namespace sampled_softmax {

struct SamplerOptions {
  int64_t range = 1;        // classes are [0, range)
  int64_t num_sampled = 1;  // S
  bool unique = true;       // no class twice in a sample; by rejection
  Philox generator;
  // The skip between calls overflows in int32 for S >= 2^20, as TensorFlow's does.
  bool tensorflow_skip = false;
};

// A sample that takes more draws than this, 268 million and sixteen for each class asked for, ends with
// Code::draw_limit, after a few seconds. TensorFlow aborts the process after 2^31.
constexpr int64_t draw_limit(int64_t num_sampled) { return (int64_t{1} << 28) + 16 * num_sampled; }

// What a later draw depends on, for saving and restoring.
struct SamplerState {
  std::vector<uint64_t> generator;  // its words; how many depends on the generator
  std::vector<int64_t> classes;     // the classes that a learned sampler has seen, ascending,
  std::vector<int64_t> counts;      // and how often
};

struct Sample {
  int64_t* classes;             // [S]
  float* expected_count;        // [S]
  const int64_t* true_classes;  // [num_true_classes], each in [0, range)
  size_t num_true_classes;
  float* true_expected_count;  // [num_true_classes]
  int64_t num_tries;           // written: draws taken, rejected ones included
};

// Every public function takes the lock, so calls from several threads are served one after another.
class Sampler {
 public:
  virtual ~Sampler() = default;

  Status draw(Sample& sample);
  SamplerState state() const;
  // invalid_argument, and nothing changed, where the state is not one of this kind of sampler.
  Status restore(const SamplerState& state);

  int64_t range() const { return range_; }
  int64_t num_sampled() const { return num_sampled_; }
  bool unique() const { return unique_; }
  // How many classes have a probability that is not 0.
  virtual int64_t possible_classes() const { return range_; }
  // Whether `id` has one.
  virtual bool possible(int64_t) const { return true; }

 protected:
  Sampler(int64_t range, int64_t num_sampled, bool unique)
      : range_(range), num_sampled_(num_sampled), unique_(unique) {}

  // The error of a draw that found only `held` classes.
  Status draw_limit_reached(size_t held, int64_t tries) const;

 private:
  virtual Status draw_locked(Sample& sample) = 0;
  virtual SamplerState state_locked() const = 0;
  virtual Status restore_locked(const SamplerState& state) = 0;

  const int64_t range_, num_sampled_;
  const bool unique_;
  mutable std::mutex mutex_;
};

}  // namespace sampled_softmax
