#include "cpu/hits.h"

namespace sampled_softmax {

Hits::Hits(const SampledProblem& p) {
  const int64_t labels = p.batch * p.num_true;
  if (p.hits == HitMask::keep || p.num_sampled == 0 || labels == 0) return;
  const bool by_label = labels < p.num_sampled;
  int bits = 2;
  while ((int64_t{1} << bits) < 2 * std::min(labels, p.num_sampled)) ++bits;
  shift_ = 64 - bits;
  table_.resize(size_t{1} << bits);
  std::fill(table_.begin(), table_.end(), Slot{kNobody, 0, 0});
  filter_.resize(table_.size());
  std::fill(filter_.begin(), filter_.end(), uint8_t{0});
  // Most columns are no label, and need no place in the table.
  Filter labelled(labels <= 4 * p.num_sampled ? table_.size() : 0);
  std::fill(labelled.begin(), labelled.end(), uint8_t{0});
  for (int64_t i = 0; !labelled.empty() && i < labels; ++i) {
    const int64_t id = p.labels[i];
    if (by_label) table_[slot_of(id)].class_id = id;
    enter(labelled, id);
  }
  const auto for_each_column = [&](auto&& fn) {
    for (int64_t c = 0; c < p.num_sampled; ++c) {
      const int64_t id = p.sampled[c];
      if (!labelled.empty() && !may_be_in(labelled, id)) continue;
      Slot& slot = table_[slot_of(id)];
      if (by_label && slot.class_id != id) continue;
      slot.class_id = id;
      fn(slot, static_cast<int32_t>(c));
    }
  };
  bool repeated = false;
  for_each_column([&](Slot& slot, int32_t column) {
    enter(filter_, slot.class_id);
    if (slot.count && p.hits != HitMask::last) {
      ++slot.count;
      repeated = true;
    } else {
      slot.count = 1;
      slot.first = column;
    }
  });
  if (!repeated) return;
  int32_t first = 0;
  for (Slot& slot : table_) {
    slot.first = first;
    first += slot.count;
    slot.count = 0;
  }
  columns_.resize(static_cast<size_t>(first));
  for_each_column(
      [&](Slot& slot, int32_t column) { columns_[static_cast<size_t>(slot.first + slot.count++)] = column; });
}

}  // namespace sampled_softmax
