#include "core/samplers/learned_unigram.h"

#include <algorithm>

#include "core/samplers/philox_sampler.h"
#include "core/samplers/weight_tree.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kLargestTotal = INT32_MAX;

class LearnedUnigramSampler final : public PhiloxSampler {
 public:
  LearnedUnigramSampler(const SamplerOptions& options, WeightTree tree)
      : PhiloxSampler(options), tree_(std::move(tree)) {}

 private:
  void pick(WordStream& words, int64_t* classes, size_t count) override {
    const uint32_t total = static_cast<uint32_t>(tree_.total());
    for (size_t i = 0; i < count; ++i) classes[i] = tree_.find(words.uniform32(total));
  }

  void count(const int64_t* classes, size_t length, const Tries& tries, float* counts) const override {
    const double total = static_cast<double>(tree_.total());
    double p[kChunk];
    for (size_t start = 0; start < length; start += kChunk) {
      const size_t size = std::min(length - start, kChunk);
      for (size_t i = 0; i < size; ++i) {
        const int32_t weight = tree_.weight(classes[start + i]);
        p[i] = tries.float32_steps ? static_cast<float>(weight) / static_cast<float>(total) : weight / total;
      }
      expected_counts(p, size, tries, counts + start);
    }
  }

  void learn(const int64_t* true_classes, size_t length) override {
    const size_t room = static_cast<size_t>(kLargestTotal - tree_.total());
    for (size_t i = 0; i < std::min(length, room); ++i) tree_.add(true_classes[i], 1);
  }

  SamplerState state_locked() const override {
    SamplerState state = PhiloxSampler::state_locked();
    for (int64_t id = 0; id < range(); ++id) {
      if (tree_.weight(id) == 1) continue;
      state.classes.push_back(id);
      state.counts.push_back(tree_.weight(id) - 1);
    }
    return state;
  }

  Status restore_locked(const SamplerState& state) override {
    if (state.classes.size() != state.counts.size()) {
      return Status::error(Code::invalid_argument, "state.learned: %zu classes but %zu counts", state.classes.size(),
                           state.counts.size());
    }
    int64_t room = kLargestTotal - range(), last = -1;
    for (size_t i = 0; i < state.classes.size(); ++i) {
      const int64_t id = state.classes[i], count = state.counts[i];
      if (id <= last || id >= range()) {
        return Status::error(Code::invalid_argument,
                             "state.learned.classes[%zu]: expected ascending classes in [0, %lld), got %lld", i,
                             static_cast<long long>(range()), static_cast<long long>(id));
      }
      if (count < 1 || count > room) {
        return Status::error(Code::invalid_argument,
                             "state.learned.counts[%zu]: expected a count of at least 1, with all weights summing to "
                             "at most 2147483647, got %lld",
                             i, static_cast<long long>(count));
      }
      room -= count;
      last = id;
    }
    WeightTree tree;
    Status status = WeightTree::make(range(), &tree);
    if (status.ok()) status = PhiloxSampler::restore_locked(state);
    if (!status.ok()) return status;
    for (size_t i = 0; i < state.classes.size(); ++i) {
      tree.add(state.classes[i], static_cast<int32_t>(state.counts[i]));
    }
    tree_ = std::move(tree);
    return {};
  }

  WeightTree tree_;
};

}  // namespace

Status make_learned_unigram_sampler(const SamplerOptions& options, std::unique_ptr<Sampler>* sampler) {
  WeightTree tree;
  Status status = WeightTree::make(options.range, &tree);
  if (status.ok()) *sampler = std::make_unique<LearnedUnigramSampler>(options, std::move(tree));
  return status;
}

}  // namespace sampled_softmax
