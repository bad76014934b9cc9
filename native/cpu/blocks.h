// How work is cut into blocks. What decides the order of a sum depends on the problem alone; how many strips or tiles
// make a task does not change a sum, and may depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sampled_softmax {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kLogitsWanted = 24 * kMiB;  // of a block of rows, where that is enough rows
constexpr int64_t kLogitsAtMost = 48 * kMiB;
constexpr int64_t kPanelsAtMost = 16 * kMiB;  // of the inputs of a block of rows
// A block of class rows for a group of strips; a multiple of every MR, and of the columns that a kernel sums at a time.
constexpr int64_t kColumnsAtATime = 240;
constexpr int kMostColumnsPerTile = 32;
constexpr int64_t kMostColumnsPerTask = 16 * kMostColumnsPerTile;
// In float32 and float64 longer rows are packed a slice at a time (sliced_driver.cc): whole ones, 32 to a strip, leave
// the L2 cache. At 8192 dims the two are as fast, at 16384 slices take 0.85 of the time, at 131,072 half.
constexpr int64_t kLongestPacked = 8192;
// Longer rows are nowhere whole: 32 of a few hundred thousand dims are larger than all that a call may take.
constexpr int64_t kLongestRow = 32768;
// Uses of class rows that are added to shared rows at a time, and columns whose sums wait for that: it takes up to 32
// bytes for each use.
constexpr int64_t kMostUses = int64_t{1} << 17;
// Labels whose state is at hand: 8 bytes each.
constexpr int64_t kMostLabels = kMiB;
constexpr int64_t kMostTogether = 4;  // consecutive strips that a task has at hand; Step::true_terms counts on it

// Fewer beside many labels, which take about 8 bytes each where gradients are merged.
static inline int64_t logits_at_most(int64_t labels) { return kLogitsAtMost - std::min(kLogitsAtMost / 2, 8 * labels); }

// Strips whose logits or probabilities, of `size` bytes, are kept at a time: blocks of nearly one size. More rows mean
// fewer passes over the class gradients, and enough strips for every thread.
static inline int64_t strips_per_block(int64_t columns, int64_t size, int64_t dim, int64_t rows_per_strip,
                                       int64_t strips, int64_t num_true) {
  constexpr int64_t kFewestRows = 128, kMostRows = 1024;
  const int64_t row_bytes = std::max<int64_t>(columns, 1) * size;
  const int64_t rows = std::min({std::clamp(kLogitsWanted / row_bytes, kFewestRows, kMostRows),
                                 logits_at_most(strips * rows_per_strip * num_true) / row_bytes,
                                 kPanelsAtMost / (std::max<int64_t>(dim, 1) * size), kMostUses / num_true});
  const int64_t most = std::max<int64_t>(rows / rows_per_strip, 1), blocks = (strips + most - 1) / most;
  return blocks ? (strips + blocks - 1) / blocks : 1;
}

// Strips that go through the columns side by side, so that a block of class rows in the L2 cache serves them all. The
// packed strips and their gradients' sums, of `strip_bytes` each, gain nothing beyond the cache and are a worker's own.
static inline int64_t strips_together(int64_t block, int64_t strip_bytes) {
  constexpr int64_t kStripsAtMost = 8 * kMiB;
  return std::clamp<int64_t>(kStripsAtMost / std::max<int64_t>(2 * strip_bytes, 1), 1, std::min(block, kMostTogether));
}

constexpr int64_t kMostTilesToPack = 32;
// Tiles whose class gradients are a task: they share panels.
constexpr int64_t kMostTilesToSum = 16, kFewestTilesToSum = 4;

// To pack a few thousand elements takes less time than to share them out.
static inline int threads_to_pack(int64_t elements, int threads) { return elements <= 4096 ? 1 : threads; }

}  // namespace sampled_softmax
