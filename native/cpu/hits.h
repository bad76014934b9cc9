// Which sampled columns are accidental hits of a row: the columns whose class is one of the row's own labels.
#pragma once

#include <cstdint>
#include <vector>

#include "core/problem.h"

namespace sampled_softmax {

// A hash table of the labels or of the sampled classes, whichever are fewer, with the columns of each.
class Hits {
 public:
  Hits() = default;  // nothing hits
  explicit Hits(const SampledProblem& problem);

  // Calls fn(column) for each column in [begin, end) whose class is `label`, one of the problem's.
  template <class F>
  void each(int64_t label, int64_t begin, int64_t end, F&& fn) const {
    if (table_.empty()) return;
    for (int32_t at = table_[slot_of(label)].first; at >= 0; at = columns_[static_cast<size_t>(at)].next) {
      const int64_t column = columns_[static_cast<size_t>(at)].column;
      if (column >= begin && column < end) fn(column);
    }
  }

 private:
  static constexpr int64_t kNobody = -1;  // no class
  static constexpr int32_t kNone = -1;
  struct Slot {
    int64_t class_id;
    int32_t first;  // place in columns_
  };
  struct Column {
    int32_t column, next;
  };

  // Where the class is, or where it would be entered.
  uint64_t slot_of(int64_t id) const {
    uint64_t i = (static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15u) >> shift_;
    while (table_[i].class_id != id && table_[i].class_id != kNobody) i = (i + 1) & (table_.size() - 1);
    return i;
  }

  std::vector<Slot> table_;      // open addressing
  std::vector<Column> columns_;  // chained by class
  int shift_ = 0;
};

}  // namespace sampled_softmax
