// Integer weights that grow one by one, drawn from in proportion: a binary indexed (Fenwick) tree over what
// was added to a weight of 1 per class. Memory of untouched classes stays untouched zero pages, so a large
// range costs only address space (8 bytes per class) until its classes are seen.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/status.h"

namespace sampled_softmax {

class WeightTree {
 public:
  // All weights 1.
  static Status make(int64_t classes, WeightTree* tree);

  int64_t total() const { return total_; }
  int32_t weight(int64_t id) const { return 1 + added_[id]; }
  void add(int64_t id, int32_t amount);
  // The first class at which the weights up to and including it sum to more than `target`; target < total().
  int64_t find(int64_t target) const;

 private:
  struct Free {
    void operator()(int32_t* p) const { std::free(p); }
  };
  using Counts = std::unique_ptr<int32_t[], Free>;

  int64_t classes_ = 0, total_ = 0;
  int64_t top_ = 0;  // the largest power of two up to classes_
  Counts added_;     // [classes] beyond the 1 that each has
  Counts node_;      // [classes + 1]: what was added to the classes that node i of the tree covers, from 1 on
};

}  // namespace sampled_softmax
