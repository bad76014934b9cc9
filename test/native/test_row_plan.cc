// Where the gradients of class rows go, against the definition: by the table and by sorting, in memory and in place.
#include "core/row_plan.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "check.h"
#include "core/radix_sort.h"

using namespace sampled_softmax;

namespace {

void check_plan(int64_t rows, int32_t shards, Partition partition, GradientMode mode, size_t num_labels,
                size_t num_sampled) {
  std::mt19937_64 random(static_cast<uint64_t>(rows) + num_labels);
  std::vector<int32_t> labels(num_labels);
  std::vector<int64_t> sampled(num_sampled);
  for (auto& id : labels) id = static_cast<int32_t>(random() % static_cast<uint64_t>(rows));
  for (auto& id : sampled) id = static_cast<int64_t>(random() % static_cast<uint64_t>(rows));
  const RowPlan plan = plan_rows(labels.data(), num_labels, sampled.data(), num_sampled, rows, shards, partition, mode);
  int64_t wrong = 0;
  for (size_t k = 0; k < num_labels + num_sampled; ++k) {
    const int64_t id = k < num_labels ? labels[k] : sampled[k - num_labels];
    const RowLocation at = locate_row(id, rows, shards, partition);
    const int64_t row = plan.slot_row.size() ? plan.slot_row[k] : static_cast<int64_t>(k);
    const int64_t begin = plan.shard_start[static_cast<size_t>(at.shard)];
    wrong += row < begin || row >= plan.shard_start[static_cast<size_t>(at.shard) + 1];
    wrong += (mode == GradientMode::dense ? row - begin : plan.indices[static_cast<size_t>(row)]) != at.row;
  }
  CHECK(wrong == 0 && plan.shard_start.back() == plan.num_rows, "rows %d shards %d mode %d: %d wrong", int(rows),
        shards, int(mode), int(wrong));
  for (int32_t s = 0; mode == GradientMode::merged && s < shards; ++s) {
    for (int64_t r = plan.shard_start[static_cast<size_t>(s)] + 1; r < plan.shard_start[static_cast<size_t>(s) + 1];
         ++r)
      wrong += plan.indices[static_cast<size_t>(r)] <= plan.indices[static_cast<size_t>(r) - 1];
  }
  std::sort(sampled.begin(), sampled.end());
  const bool distinct = std::adjacent_find(sampled.begin(), sampled.end()) == sampled.end();
  CHECK(wrong == 0 && plan.sampled_distinct == (distinct || mode == GradientMode::sparse), "merged rows %d", int(rows));
}

template <class Item>
void check_sort(size_t count) {
  std::mt19937 random(7);
  std::vector<Item> items(count);
  for (size_t i = 0; i < count; ++i) {
    items[i].key = random() % 70'000;
    items[i].item = static_cast<decltype(Item::item)>(i);
  }
  std::vector<Item> want = items;
  std::stable_sort(want.begin(), want.end(), [](const Item& a, const Item& b) { return a.key < b.key; });
  sort_by_key(items);
  size_t wrong = 0;
  for (size_t i = 0; i < count; ++i) wrong += items[i].key != want[i].key || items[i].item != want[i].item;
  CHECK(wrong == 0, "%zu of %zu out of order", wrong, count);
}

}  // namespace

int main() {
  for (GradientMode mode : {GradientMode::sparse, GradientMode::merged, GradientMode::dense}) {
    for (int32_t shards : {1, 3, 40}) {
      for (Partition partition : {Partition::mod, Partition::div}) {
        for (int64_t rows : {int64_t{1}, int64_t{25}, int64_t{100}, int64_t{5000}}) {
          check_plan(rows, shards, partition, mode, 60, 30);
          check_plan(rows, shards, partition, mode, 0, 0);
        }
      }
    }
  }
  check_plan(int64_t{1} << 31, 1, Partition::mod, GradientMode::merged, 1'200'000, 1'100'000);
  for (size_t count : {size_t{0}, size_t{1}, size_t{5000}, size_t{2'200'000}}) {
    check_sort<NarrowKeyed>(count);
    check_sort<Keyed>(count);
  }
  return finish("row plan");
}
