#include "core/row_plan.h"

#include <algorithm>
#include <utility>

#include "core/radix_sort.h"

namespace sampled_softmax {
namespace {

bool all_distinct(std::vector<Keyed> items) {
  radix_sort(items);
  for (size_t i = 1; i < items.size(); ++i) {
    if (items[i].key == items[i - 1].key) return false;
  }
  return true;
}

}  // namespace

RowPlan plan_rows(const int64_t* ids, size_t slots, size_t labels, int64_t rows, int32_t num_shards,
                  Partition partition, GradientMode mode) {
  RowPlan plan;
  // The rows of all shards laid end to end: a class's place in that order sorts by shard, then by local row.
  std::vector<int64_t> first(static_cast<size_t>(num_shards) + 1, 0);
  for (int32_t s = 0; s < num_shards; ++s) first[s + 1] = first[s] + shard_rows(s, rows, num_shards);
  std::vector<int64_t> place(slots);
  for (size_t k = 0; k < slots; ++k) {
    const RowLocation at = locate_row(ids[k], rows, num_shards, partition);
    place[k] = first[at.shard] + at.row;
  }
  const auto shard_of = [&](int64_t p) {
    return std::upper_bound(first.begin(), first.end() - 1, p) - first.begin() - 1;
  };

  if (mode != GradientMode::sparse) {
    std::vector<Keyed> sampled;
    for (size_t k = labels; k < slots; ++k) sampled.push_back({place[k], 0});
    plan.sampled_distinct = all_distinct(std::move(sampled));
    plan.merged = true;
  }
  if (mode == GradientMode::dense) {
    plan.shard_start = std::move(first);
    plan.slot_row = std::move(place);
    plan.num_rows = rows;
    return plan;
  }
  if (mode == GradientMode::sparse && num_shards == 1) {
    plan.indices.assign(ids, ids + slots);
    plan.shard_start = {0, static_cast<int64_t>(slots)};
    plan.num_rows = static_cast<int64_t>(slots);
    return plan;
  }

  // Sparse over shards: sorted by shard alone, in order of appearance. Merged: by place, equal places together.
  const bool merged = mode == GradientMode::merged;
  std::vector<Keyed> order(slots);
  for (size_t k = 0; k < slots; ++k) {
    order[k] = {merged ? place[k] : static_cast<int64_t>(shard_of(place[k])), static_cast<int64_t>(k)};
  }
  radix_sort(order);
  plan.slot_row.resize(slots);
  plan.shard_start.assign(static_cast<size_t>(num_shards) + 1, 0);
  for (size_t i = 0; i < slots; ++i) {
    const int64_t at = place[order[i].item];
    if (!merged || i == 0 || order[i].key != order[i - 1].key) {
      const auto shard = shard_of(at);
      plan.indices.push_back(at - first[shard]);
      ++plan.shard_start[shard + 1];
    }
    plan.slot_row[order[i].item] = static_cast<int64_t>(plan.indices.size()) - 1;
  }
  for (int32_t s = 0; s < num_shards; ++s) plan.shard_start[s + 1] += plan.shard_start[s];
  plan.num_rows = static_cast<int64_t>(plan.indices.size());
  return plan;
}

}  // namespace sampled_softmax
