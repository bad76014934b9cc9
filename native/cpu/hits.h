// Which sampled columns are accidental hits of a row: the columns whose class is one of the row's own labels.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/problem.h"
#include "core/small_array.h"

namespace sampled_softmax {

// A hash table of the labels or of the sampled classes, whichever are fewer, with the columns of each.
class Hits {
 public:
  explicit Hits(const SampledProblem& problem);

  // Calls fn(column) for each column in [begin, end) whose class is `label`, one of the problem's.
  template <class F>
  void each(int64_t label, int64_t begin, int64_t end, F&& fn) const {
    if (table_.empty() || !may_be_in(filter_, label)) return;
    const Slot& slot = table_[slot_of(label)];
    const int32_t *at = columns_.empty() ? &slot.first : columns_.data() + slot.first, *last = at + slot.count;
    // A class may be drawn a hundred thousand times, and be asked for piece by piece.
    if (slot.count > 1) at = std::lower_bound(at, last, begin);
    for (; at < last && *at < end; ++at) {
      if (*at >= begin) fn(int64_t{*at});
    }
  }

 private:
  static constexpr int64_t kNobody = -1;  // no class
  struct Slot {
    int64_t class_id;
    int32_t first, count;  // in columns_; where that is empty, the one column itself
  };

  uint64_t hash(int64_t id) const { return (static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15u) >> (shift_ - 3); }
  // Where the class is, or where it would be entered.
  uint64_t slot_of(int64_t id) const {
    uint64_t i = hash(id) / 8;
    while (table_[i].class_id != id && table_[i].class_id != kNobody) i = (i + 1) & (table_.size() - 1);
    return i;
  }
  // Few rows have a hit. A bit of its hash tells of nearly all others that they have none, in 2 ns; a look at the table
  // takes 17, most of them for a branch that cannot be foreseen. Eight bits to a slot, one for each hash.
  static constexpr size_t kFewSlots = 128;
  using Filter = SmallArray<uint8_t, kFewSlots>;
  void enter(Filter& filter, int64_t id) const {
    const uint64_t h = hash(id);
    filter[h / 8] |= static_cast<uint8_t>(1 << (h % 8));
  }
  bool may_be_in(const Filter& filter, int64_t id) const {
    const uint64_t h = hash(id);
    return filter[h / 8] >> (h % 8) & 1;
  }

  SmallArray<Slot, kFewSlots> table_;  // open addressing
  Filter filter_;                      // of the classes that have columns
  SmallArray<int32_t, 1> columns_;     // class by class, ascending; empty where no class has two
  int shift_ = 0;
};

}  // namespace sampled_softmax
