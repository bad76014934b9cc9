#include "core/row_plan.h"

#include <algorithm>

#include "core/radix_sort.h"

namespace sampled_softmax {
namespace {

// The slots, and the rows of all shards laid end to end: a class's place in that order sorts by shard, then by row.
struct Slots {
  Ids labels, sampled;
  size_t num_labels, count;
  int64_t rows;
  int32_t num_shards;
  Partition partition;
  std::vector<int64_t> first;  // [num_shards + 1] place of each shard's first row

  RowLocation location(size_t slot) const {
    const int64_t id =
        slot < num_labels ? labels[static_cast<int64_t>(slot)] : sampled[static_cast<int64_t>(slot - num_labels)];
    return locate_row(id, rows, num_shards, partition);
  }
  int64_t place(size_t slot) const {
    const RowLocation at = location(slot);
    return first[static_cast<size_t>(at.shard)] + at.row;
  }
};

// Every use of a class has a row of its own, shard by shard, in the order of the slots.
void plan_sparse(const Slots& slots, RowPlan& plan) {
  const size_t shards = static_cast<size_t>(slots.num_shards);
  plan.indices = IdVector(slots.count, slots.rows > INT32_MAX);
  plan.num_rows = static_cast<int64_t>(slots.count);
  plan.shard_start.assign(shards + 1, 0);
  for (size_t k = 0; k < slots.count; ++k) ++plan.shard_start[static_cast<size_t>(slots.location(k).shard) + 1];
  for (size_t s = 0; s < shards; ++s) plan.shard_start[s + 1] += plan.shard_start[s];
  if (shards > 1) plan.slot_row = IdVector(slots.count, slots.count > INT32_MAX);
  std::vector<int64_t> next = plan.shard_start;
  for (size_t k = 0; k < slots.count; ++k) {
    const RowLocation at = slots.location(k);
    const int64_t row = next[static_cast<size_t>(at.shard)]++;
    plan.indices.set(static_cast<size_t>(row), at.row);
    if (shards > 1) plan.slot_row.set(k, row);
  }
}

// One row for each class that occurs, sorted by shard and row.
template <class Item>
void plan_merged(const Slots& slots, RowPlan& plan) {
  std::vector<Item> order(slots.count);
  for (size_t k = 0; k < slots.count; ++k) {
    order[k].key = static_cast<decltype(Item::key)>(slots.place(k));
    order[k].item = static_cast<decltype(Item::item)>(k);
  }
  sort_by_key(order);
  size_t distinct = 0;
  for (size_t i = 0; i < order.size(); ++i) distinct += i == 0 || order[i].key != order[i - 1].key;
  plan.num_rows = static_cast<int64_t>(distinct);
  plan.indices = IdVector(distinct, slots.rows > INT32_MAX);
  plan.slot_row = IdVector(slots.count, distinct > INT32_MAX);
  plan.shard_start.assign(static_cast<size_t>(slots.num_shards) + 1, 0);
  int64_t row = -1;
  bool sampled = false;  // whether the row has a sampled slot already
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t slot = static_cast<size_t>(order[i].item);
    if (i == 0 || order[i].key != order[i - 1].key) {
      const RowLocation at = slots.location(slot);
      plan.indices.set(static_cast<size_t>(++row), at.row);
      ++plan.shard_start[static_cast<size_t>(at.shard) + 1];
      sampled = false;
    }
    if (slot >= slots.num_labels) {
      if (sampled) plan.sampled_distinct = false;
      sampled = true;
    }
    plan.slot_row.set(slot, row);
  }
  for (int32_t s = 0; s < slots.num_shards; ++s) plan.shard_start[s + 1] += plan.shard_start[s];
}

// A row for every class.
void plan_dense(const Slots& slots, RowPlan& plan) {
  plan.indices = IdVector(0, slots.rows > INT32_MAX);
  plan.shard_start = slots.first;
  plan.num_rows = slots.rows;
  plan.slot_row = IdVector(slots.count, slots.rows > INT32_MAX);
  for (size_t k = 0; k < slots.count; ++k) plan.slot_row.set(k, slots.place(k));
  std::vector<int64_t> sampled;
  for (size_t k = slots.num_labels; k < slots.count; ++k) sampled.push_back(plan.slot_row[k]);
  std::sort(sampled.begin(), sampled.end());
  plan.sampled_distinct = std::adjacent_find(sampled.begin(), sampled.end()) == sampled.end();
}

}  // namespace

RowPlan plan_rows(Ids labels, size_t num_labels, Ids sampled, size_t num_sampled, int64_t rows, int32_t num_shards,
                  Partition partition, GradientMode mode) {
  Slots slots{labels, sampled, num_labels, num_labels + num_sampled, rows, num_shards, partition, {0}};
  for (int32_t s = 0; s < num_shards; ++s) slots.first.push_back(slots.first.back() + shard_rows(s, rows, num_shards));
  RowPlan plan;
  plan.merged = mode != GradientMode::sparse;
  if (mode == GradientMode::sparse) plan_sparse(slots, plan);
  else if (mode == GradientMode::dense) plan_dense(slots, plan);
  else if (rows <= kNarrowKeys && static_cast<int64_t>(slots.count) <= kNarrowKeys)
    plan_merged<NarrowKeyed>(slots, plan);
  else plan_merged<Keyed>(slots, plan);
  return plan;
}

}  // namespace sampled_softmax
