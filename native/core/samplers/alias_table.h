// Draws from fixed weights in constant time (Vose's alias method), with the pairing order and the roundings
// of TensorFlow's DistributionSampler.
#pragma once

#include <cstdint>
#include <vector>

#include "core/samplers/word_stream.h"

namespace sampled_softmax {

class AliasTable {
 public:
  // Weights finite and not negative, at least one of them positive.
  explicit AliasTable(const std::vector<float>& weights);

  // Whether each class can ever be the pick: a very small weight beside large ones leaves none of its bucket.
  std::vector<bool> pickable() const;

  int64_t pick(WordStream& words) const {
    const float u = words.next_float();
    const uint32_t bucket = words.uniform32(static_cast<uint32_t>(buckets_.size()));
    return u < buckets_[bucket].keep ? static_cast<int64_t>(bucket) : buckets_[bucket].other;
  }

 private:
  struct Bucket {
    float keep;     // how much of the bucket is its own class's
    int32_t other;  // whose the rest is
  };
  std::vector<Bucket> buckets_;
};

}  // namespace sampled_softmax
