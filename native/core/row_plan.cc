#include "core/row_plan.h"

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
  const MakeIds& make;
  std::vector<int64_t> first;  // [num_shards + 1] place of each shard's first row

  RowLocation location(size_t slot) const {
    const int64_t column = static_cast<int64_t>(slot) - static_cast<int64_t>(num_labels);
    const int64_t id = column < 0 ? labels[static_cast<int64_t>(slot)] : sampled ? sampled[column] : column;
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
  plan.indices = slots.make("indices", slots.count, slots.rows > INT32_MAX);
  plan.num_rows = static_cast<int64_t>(slots.count);
  plan.shard_start.assign(shards + 1, 0);
  for (size_t k = 0; k < slots.count; ++k) ++plan.shard_start[static_cast<size_t>(slots.location(k).shard) + 1];
  for (size_t s = 0; s < shards; ++s) plan.shard_start[s + 1] += plan.shard_start[s];
  if (shards > 1) plan.slot_row = slots.make("slotRow", slots.count, slots.count > INT32_MAX);
  std::vector<int64_t> next = plan.shard_start;
  for (size_t k = 0; k < slots.count; ++k) {
    const RowLocation at = slots.location(k);
    const int64_t row = next[static_cast<size_t>(at.shard)]++;
    plan.indices.set(static_cast<size_t>(row), at.row);
    if (shards > 1) plan.slot_row.set(k, row);
  }
}

// __builtin_popcountll is a call of a function where the processor may be any x86-64: the whole plan took up to 1.7
// times as long.
inline uint32_t count_bits(uint64_t x) {
  x -= (x >> 1) & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
  return static_cast<uint32_t>((((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56);
}

// Which places occur, a bit for each, and how many do before a place.
class Places {
 public:
  explicit Places(int64_t count) : bits_(static_cast<size_t>(count) / 64 + 1), before_(bits_.size()) {}

  void add(int64_t place) { bits_[static_cast<size_t>(place) / 64] |= uint64_t{1} << (place % 64); }
  void count() {
    uint32_t total = 0;
    for (size_t i = 0; i < bits_.size(); ++i) {
      before_[i] = total;
      total += count_bits(bits_[i]);
    }
  }
  int64_t before(int64_t place) const {
    const size_t i = static_cast<size_t>(place) / 64;
    return before_[i] + count_bits(bits_[i] & ((uint64_t{1} << (place % 64)) - 1));
  }

 private:
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> before_;  // bits of all words before each
};

// Numbers the rows of the slots in the order of their places, into slot_row and shard_start.
void number_by_bits(const Slots& slots, RowPlan& plan) {
  Places places(slots.rows);
  for (size_t k = 0; k < slots.count; ++k) places.add(slots.place(k));
  places.count();
  for (size_t s = 0; s < slots.first.size(); ++s) plan.shard_start[s] = places.before(slots.first[s]);
  plan.num_rows = plan.shard_start.back();
  plan.slot_row = slots.make("slotRow", slots.count, slots.count > INT32_MAX);
  for (size_t k = 0; k < slots.count; ++k) plan.slot_row.set(k, places.before(slots.place(k)));
}

template <class Item>
void number_by_sorting(const Slots& slots, RowPlan& plan) {
  std::vector<Item> order(slots.count);
  for (size_t k = 0; k < slots.count; ++k) {
    order[k].key = static_cast<decltype(Item::key)>(slots.place(k));
    order[k].item = static_cast<decltype(Item::item)>(k);
  }
  sort_by_key(order);
  plan.slot_row = slots.make("slotRow", slots.count, slots.count > INT32_MAX);
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t slot = static_cast<size_t>(order[i].item);
    if (i == 0 || order[i].key != order[i - 1].key) {
      ++plan.shard_start[static_cast<size_t>(slots.location(slot).shard) + 1];
      ++plan.num_rows;
    }
    plan.slot_row.set(slot, plan.num_rows - 1);
  }
  for (int32_t s = 0; s < slots.num_shards; ++s) plan.shard_start[s + 1] += plan.shard_start[s];
}

// One row for each class that occurs, sorted by shard and row.
void plan_merged(const Slots& slots, RowPlan& plan) {
  const int64_t count = static_cast<int64_t>(slots.count);
  plan.shard_start.assign(static_cast<size_t>(slots.num_shards) + 1, 0);
  // Bits of all classes where they take no more memory than what would be sorted.
  if (slots.rows <= 32 * count && count <= kNarrowKeys) number_by_bits(slots, plan);
  else if (slots.rows <= kNarrowKeys && count <= kNarrowKeys) number_by_sorting<NarrowKeyed>(slots, plan);
  else number_by_sorting<Keyed>(slots, plan);
  plan.indices = slots.make("indices", static_cast<size_t>(plan.num_rows), slots.rows > INT32_MAX);
  for (size_t k = 0; k < slots.count; ++k) {
    plan.indices.set(static_cast<size_t>(plan.slot_row[k]), slots.location(k).row);
  }
}

// A row for every class.
void plan_dense(const Slots& slots, RowPlan& plan) {
  plan.indices = slots.make("indices", 0, slots.rows > INT32_MAX);
  plan.shard_start = slots.first;
  plan.num_rows = slots.rows;
  plan.slot_row = slots.make("slotRow", slots.count, slots.rows > INT32_MAX);
  for (size_t k = 0; k < slots.count; ++k) plan.slot_row.set(k, slots.place(k));
}

// Whether no two sampled slots share a row.
bool sampled_distinct(const Slots& slots, const RowPlan& plan) {
  std::vector<bool> seen(static_cast<size_t>(plan.num_rows));
  for (size_t k = slots.num_labels; k < slots.count; ++k) {
    const size_t row = static_cast<size_t>(plan.slot_row[k]);
    if (seen[row]) return false;
    seen[row] = true;
  }
  return true;
}

}  // namespace

RowPlan plan_rows(Ids labels, size_t num_labels, Ids sampled, size_t num_sampled, int64_t rows, int32_t num_shards,
                  Partition partition, GradientMode mode, const MakeIds& make) {
  Slots slots{labels, sampled, num_labels, num_labels + num_sampled, rows, num_shards, partition, make, {0}};
  for (int32_t s = 0; s < num_shards; ++s) slots.first.push_back(slots.first.back() + shard_rows(s, rows, num_shards));
  RowPlan plan;
  plan.merged = mode != GradientMode::sparse;
  if (mode == GradientMode::sparse) {
    plan_sparse(slots, plan);
    return plan;
  }
  if (mode == GradientMode::merged) plan_merged(slots, plan);
  else plan_dense(slots, plan);
  plan.sampled_distinct = sampled_distinct(slots, plan);
  return plan;
}

}  // namespace sampled_softmax
