// Where the row of a class lives when a parameter is split over several shards: TensorFlow's 'mod' and 'div'.
#pragma once

#include <cstdint>

namespace sampled_softmax {

enum class Partition : int32_t { mod = 0, div = 1 };

struct RowLocation {
  int32_t shard;
  int64_t row;
};

// mod: shard = id % n, row = id / n.
// div: the first `rows % n` shards hold one row more than the others, and ids run through them in order.
// `rows` is the total over all shards, `id` is in [0, rows), and every shard has the size that shard_rows gives.
static inline RowLocation locate_row(int64_t id, int64_t rows, int32_t num_shards, Partition partition) {
  if (num_shards == 1) return {0, id};
  if (partition == Partition::mod) return {static_cast<int32_t>(id % num_shards), id / num_shards};
  const int64_t base = rows / num_shards, extras = rows % num_shards;
  const int64_t in_wide = extras * (base + 1);  // ids held by the shards of base + 1 rows
  if (id < in_wide) return {static_cast<int32_t>(id / (base + 1)), id % (base + 1)};
  return {static_cast<int32_t>(extras + (id - in_wide) / base), (id - in_wide) % base};
}

// How many rows shard `shard` must hold. Both strategies need the same sizes: the first shards are the larger ones.
static inline int64_t shard_rows(int32_t shard, int64_t rows, int32_t num_shards) {
  return rows / num_shards + (shard < rows % num_shards ? 1 : 0);
}

}  // namespace sampled_softmax
