#include "core/samplers/all_candidate.h"

#include <algorithm>
#include <numeric>

namespace sampled_softmax {
namespace {

class AllCandidateSampler final : public Sampler {
 public:
  explicit AllCandidateSampler(int64_t range) : Sampler(range, range, true) {}

 private:
  Status draw_locked(Sample& sample) override {
    const size_t classes = static_cast<size_t>(range());
    std::iota(sample.classes, sample.classes + classes, int64_t{0});
    std::fill_n(sample.expected_count, classes, 1.0f);
    std::fill_n(sample.true_expected_count, sample.num_true_classes, 1.0f);
    sample.num_tries = range();
    return {};
  }
  SamplerState state_locked() const override { return {}; }
  Status restore_locked(const SamplerState&) override { return {}; }
};

}  // namespace

std::unique_ptr<Sampler> make_all_candidate_sampler(int64_t range) {
  return std::make_unique<AllCandidateSampler>(range);
}

}  // namespace sampled_softmax
