#include "core/samplers/alias_table.h"

#include <algorithm>
#include <cstddef>

namespace sampled_softmax {

AliasTable::AliasTable(const std::vector<float>& weights) : buckets_(weights.size()) {
  const size_t n = weights.size();
  double sum = 0;
  for (float weight : weights) sum += weight;

  // Each class's share in buckets. The product is rounded to float32, as in TensorFlow.
  std::vector<double> share(n);
  std::vector<int32_t> low, high;
  for (size_t i = 0; i < n; ++i) {
    share[i] = static_cast<double>(weights[i] * static_cast<float>(n)) / sum;
    (share[i] < 1.0 ? low : high).push_back(static_cast<int32_t>(i));
  }
  const auto share_of = [&](int32_t i) -> double& { return share[static_cast<size_t>(i)]; };
  while (!low.empty() && !high.empty()) {
    const int32_t poor = low.back(), rich = high.back();
    low.pop_back();
    high.pop_back();
    buckets_[static_cast<size_t>(poor)] = {static_cast<float>(share_of(poor)), rich};
    share_of(rich) -= 1.0 - share_of(poor);
    (share_of(rich) < 1.0 ? low : high).push_back(rich);
  }
  // What rounding left over owns its whole bucket; but never a class of weight 0, which nobody may draw.
  const int32_t heaviest = static_cast<int32_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  for (const std::vector<int32_t>* rest : {&low, &high}) {
    for (int32_t i : *rest) {
      buckets_[static_cast<size_t>(i)] = {1.0f, i};
      if (weights[static_cast<size_t>(i)] == 0) buckets_[static_cast<size_t>(i)] = {0.0f, heaviest};
    }
  }
}

std::vector<bool> AliasTable::pickable() const {
  constexpr float kLargest = 1.0f - 0x1p-23f;  // of next_float(); the smallest is 0
  std::vector<bool> pickable(buckets_.size());
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i].keep > 0) pickable[i] = true;
    if (buckets_[i].keep <= kLargest) pickable[static_cast<size_t>(buckets_[i].other)] = true;
  }
  return pickable;
}

}  // namespace sampled_softmax
