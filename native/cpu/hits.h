// Which sampled columns are accidental hits of a row: the columns whose class is one of the row's own labels.
#pragma once

#include <cstdint>
#include <vector>

#include "core/problem.h"

namespace sampled_softmax {

class Hits {
 public:
  // Indexes `sampled`, of fewer than 2^31 columns. `mask` is all or last; keep makes an empty index, in which nothing
  // hits.
  Hits(const int64_t* sampled, int64_t count, HitMask mask);

  // Calls fn(column) for each column in [begin, end) whose class is `label`.
  template <class F>
  void each(int64_t label, int64_t begin, int64_t end, F&& fn) const {
    if (table_.empty()) return;
    for (uint64_t i = hash(label);; ++i) {
      const int64_t column = table_[i & mask_];
      if (column < 0) return;
      if (sampled_[column] != label) continue;
      for (int64_t c = column; c >= 0; c = next_.empty() ? -1 : next_[static_cast<size_t>(c)]) {
        if (c >= begin && c < end) fn(c);
      }
      return;
    }
  }

 private:
  uint64_t hash(int64_t id) const { return (static_cast<uint64_t>(id) * 0x9e3779b97f4a7c15u) >> shift_; }

  const int64_t* sampled_;
  std::vector<int32_t> table_;  // open addressing: a column of each distinct class, or -1
  std::vector<int64_t>
      next_;  // another column of the same class, or -1; empty where no class repeats or only the last counts
  uint64_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace sampled_softmax
