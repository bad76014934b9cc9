#include "core/samplers/fixed_unigram.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/samplers/alias_table.h"
#include "core/samplers/philox_sampler.h"

namespace sampled_softmax {
namespace {

class FixedUnigramSampler final : public PhiloxSampler {
 public:
  FixedUnigramSampler(const SamplerOptions& options, std::vector<float> weights)
      : PhiloxSampler(options), weights_(std::move(weights)), table_(weights_), possible_(table_.pickable()) {
    for (float weight : weights_) {
      total_float32_ += weight;
      total_ += weight;
    }
    for (size_t i = 0; i < weights_.size(); ++i) {
      // A weight may be too small beside the others for a probability above 0 in float32.
      possible_[i] = possible_[i] && weights_[i] / total_float32_ > 0;
      possible_classes_ += possible_[i];
    }
  }

  int64_t possible_classes() const override { return possible_classes_; }
  bool possible(int64_t id) const override { return possible_[static_cast<size_t>(id)]; }

 private:
  void pick(WordStream& words, int64_t* classes, size_t count) override {
    for (size_t i = 0; i < count; ++i) classes[i] = table_.pick(words);
  }

  void count(const int64_t* classes, size_t length, const Tries& tries, float* counts) const override {
    double p[kChunk];
    for (size_t start = 0; start < length; start += kChunk) {
      const size_t size = std::min(length - start, kChunk);
      for (size_t i = 0; i < size; ++i) {
        const float weight = weights_[static_cast<size_t>(classes[start + i])];
        p[i] = tries.float32_steps ? weight / total_float32_ : weight / total_;
      }
      expected_counts(p, size, tries, counts + start);
    }
  }

  const std::vector<float> weights_;
  const AliasTable table_;
  std::vector<bool> possible_;
  int64_t possible_classes_ = 0;
  float total_float32_ = 0;  // summed in the order of the ids, as TensorFlow does
  double total_ = 0;
};

}  // namespace

Status make_fixed_unigram_sampler(const SamplerOptions& options, const FixedUnigramOptions& unigram,
                                  std::unique_ptr<Sampler>* sampler) {
  const int64_t shards = unigram.num_shards, shard = unigram.shard;
  if (shards < 1 || shard < 0 || shard >= shards) {
    return Status::error(Code::invalid_argument, "shard: there is no shard %lld of %lld", static_cast<long long>(shard),
                         static_cast<long long>(shards));
  }
  const int64_t reserved = unigram.num_reserved / shards + (unigram.num_reserved % shards > shard);
  if (unigram.num_reserved < 0 || reserved > options.range) {
    return Status::error(Code::invalid_argument, "numReservedIds: %lld reserved ids in a range of %lld",
                         static_cast<long long>(reserved), static_cast<long long>(options.range));
  }
  std::vector<float> weights(static_cast<size_t>(reserved));
  double total = 0;
  for (size_t i = 0; i < unigram.unigrams.size(); ++i) {
    const float given = unigram.unigrams[i];
    if (!(given >= 0) || std::isinf(given)) {
      return Status::error(Code::invalid_argument, "unigrams[%zu]: expected a finite weight >= 0, got %g", i,
                           static_cast<double>(given));
    }
    if ((unigram.num_reserved + static_cast<int64_t>(i)) % shards != shard) continue;
    const float weight = std::pow(given, unigram.distortion);
    if (!std::isfinite(weight)) {
      return Status::error(Code::invalid_argument, "unigrams[%zu]: %g to the power of %g does not fit float32", i,
                           static_cast<double>(given), static_cast<double>(unigram.distortion));
    }
    total += weight;
    weights.push_back(weight);
  }
  if (static_cast<int64_t>(weights.size()) != options.range) {
    return Status::error(Code::invalid_argument,
                         "rangeMax: expected the number of weights, reserved ones included%s, which is %zu; got %lld",
                         shards > 1 ? ", of this shard" : "", weights.size(), static_cast<long long>(options.range));
  }
  if (!(total > 0)) return Status::error(Code::invalid_argument, "unigrams: at least one weight must be positive");
  if (total * static_cast<double>(weights.size()) > FLT_MAX) {
    return Status::error(Code::invalid_argument,
                         "unigrams: the sum of the weights, %g, times their number does not fit float32", total);
  }
  *sampler = std::make_unique<FixedUnigramSampler>(options, std::move(weights));
  return {};
}

}  // namespace sampled_softmax
