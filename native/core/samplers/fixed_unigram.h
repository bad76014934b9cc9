// A distribution given by weights, one per class, raised to a power (the "distortion"); the draw is an alias
// table.
#pragma once

#include <vector>

#include "core/samplers/sampler.h"

namespace sampled_softmax {

struct FixedUnigramOptions {
  // Of the classes from num_reserved on, in order; over all shards.
  std::vector<float> unigrams;
  float distortion = 1;
  // The first classes are reserved: weight 0, never drawn.
  int64_t num_reserved = 0;
  // This sampler holds the classes with id % num_shards == shard, under the ids 0, 1, 2, ... in their order.
  int64_t num_shards = 1, shard = 0;
};

// invalid_argument, with the position and the value, for weights that are negative, not finite, all zero, or
// not as many as the range; and for a shard that does not exist.
//
// With shards and reserved classes together this differs from TensorFlow, which begins to number the unigrams
// at the count of reserved classes in this shard instead of in all, and so deals some of them to the wrong
// shard.
Status make_fixed_unigram_sampler(const SamplerOptions& options, const FixedUnigramOptions& unigram,
                                  std::unique_ptr<Sampler>* sampler);

}  // namespace sampled_softmax
