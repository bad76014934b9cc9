// Where each slot's gradient row goes: TensorFlow's unmerged order, merged and sorted, or dense; shard by shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/sharding.h"
#include "core/views.h"

namespace sampled_softmax {

enum class GradientMode : int32_t { sparse = 0, merged = 1, dense = 2 };

// Ids in as few bytes as they need.
class IdVector {
 public:
  IdVector() = default;
  IdVector(size_t size, bool wide) : is_wide_(wide), wide_(wide ? size : 0), narrow_(wide ? 0 : size) {}

  size_t size() const { return wide_.size() + narrow_.size(); }
  bool wide() const { return is_wide_; }
  const void* data() const { return is_wide_ ? static_cast<const void*>(wide_.data()) : narrow_.data(); }
  Ids view() const { return is_wide_ ? Ids(wide_.data()) : Ids(narrow_.data()); }
  int64_t operator[](size_t i) const { return is_wide_ ? wide_[i] : narrow_[i]; }
  void set(size_t i, int64_t id) {
    if (is_wide_) wide_[i] = id;
    else narrow_[i] = static_cast<int32_t>(id);
  }

 private:
  bool is_wide_ = false;
  std::vector<int64_t> wide_;
  std::vector<int32_t> narrow_;
};

struct RowPlan {
  IdVector indices;                  // local row of each output row, shard after shard; empty when dense
  std::vector<int64_t> shard_start;  // [num_shards + 1] where each shard's output rows begin
  IdVector slot_row;                 // [slots] the output row of each slot; empty: slot k is row k
  int64_t num_rows = 0;
  bool merged = false;           // as RowGradients::merged
  bool sampled_distinct = true;  // as RowGradients::sampled_distinct
};

// The slots' classes, each in [0, rows): the labels, then the sampled ones.
RowPlan plan_rows(Ids labels, size_t num_labels, Ids sampled, size_t num_sampled, int64_t rows, int32_t num_shards,
                  Partition partition, GradientMode mode);

}  // namespace sampled_softmax
