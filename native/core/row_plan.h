// Where each slot's gradient row goes: TensorFlow's unmerged order, merged and sorted, or dense; shard by shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/sharding.h"
#include "core/views.h"

namespace sampled_softmax {

enum class GradientMode : int32_t { sparse = 0, merged = 1, dense = 2 };

struct RowPlan {
  IdVector indices;                  // local row of each output row, shard after shard; empty when dense
  std::vector<int64_t> shard_start;  // [num_shards + 1] where each shard's output rows begin
  IdVector slot_row;                 // [slots] the output row of each slot; empty: slot k is row k
  int64_t num_rows = 0;
  bool merged = false;           // as RowGradients::merged
  bool sampled_distinct = true;  // as RowGradients::sampled_distinct
};

// Makes the array of a plan: "indices" or "slotRow".
using MakeIds = std::function<IdVector(const char* name, size_t size, bool wide)>;

static inline IdVector own_ids(const char*, size_t size, bool wide) { return IdVector(size, wide); }

// The slots' classes, each in [0, rows): the labels, then the sampled ones; without an array of them, classes 0,
// 1, 2...
RowPlan plan_rows(Ids labels, size_t num_labels, Ids sampled, size_t num_sampled, int64_t rows, int32_t num_shards,
                  Partition partition, GradientMode mode, const MakeIds& make = own_ids);

}  // namespace sampled_softmax
