#include "cpu/hits.h"

#include <algorithm>

namespace sampled_softmax {

Hits::Hits(const SampledProblem& p) {
  const int64_t labels = p.batch * p.num_true;
  if (p.hits == HitMask::keep || p.num_sampled == 0 || labels == 0) return;
  const bool by_label = labels < p.num_sampled;
  int bits = 2;
  while ((int64_t{1} << bits) < 2 * std::min(labels, p.num_sampled)) ++bits;
  shift_ = 64 - bits;
  table_.assign(size_t{1} << bits, {kNobody, kNone});
  for (int64_t i = 0; by_label && i < labels; ++i) table_[slot_of(p.labels[i])].class_id = p.labels[i];
  for (int64_t c = 0; c < p.num_sampled; ++c) {
    const int64_t id = p.sampled[c];
    Slot& slot = table_[slot_of(id)];
    if (by_label && slot.class_id != id) continue;
    slot.class_id = id;
    if (p.hits == HitMask::last && slot.first != kNone) {
      columns_[static_cast<size_t>(slot.first)].column = static_cast<int32_t>(c);
      continue;
    }
    columns_.push_back({static_cast<int32_t>(c), slot.first});
    slot.first = static_cast<int32_t>(columns_.size() - 1);
  }
}

}  // namespace sampled_softmax
