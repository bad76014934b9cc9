#include "core/samplers/distinct.h"

#include <algorithm>

namespace sampled_softmax {
namespace {

// A bitmap is taken up to 256 bytes per class of the sample or 4 MiB, whichever is less, and in any case up
// to the 32 bytes per class that the hash set would need. 10 million classes, S = 8192: 103 us a draw instead
// of 160.
bool bitmap_is_small(int64_t range, int64_t capacity) {
  return range / 256 <= capacity || (range / 2048 <= capacity && range <= int64_t{1} << 25);
}

}  // namespace

DistinctClasses& DistinctClasses::of_this_thread() {
  thread_local DistinctClasses classes;
  return classes;
}

void DistinctClasses::start(int64_t range, int64_t capacity) {
  bitmap_ = bitmap_is_small(range, capacity);
  size_t words = static_cast<size_t>(range / 64 + 1);
  if (!bitmap_) {
    int bits = 4;
    while ((int64_t{1} << bits) / 4 < capacity) ++bits;
    shift_ = 64 - bits;
    slots_ = words = size_t{1} << bits;
  }
  if (words_.size() < words) words_.resize(words);
}

bool DistinctClasses::insert(int64_t id) {
  const uint64_t key = static_cast<uint64_t>(id);
  if (bitmap_) {
    uint64_t& word = words_[static_cast<size_t>(key / 64)];
    const uint64_t bit = uint64_t{1} << key % 64;
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  const uint64_t wanted = key + 1;
  // Fibonacci hashing: the upper bits of the product depend on all bits of the id.
  size_t slot = static_cast<size_t>(wanted * 0x9E3779B97F4A7C15u >> shift_);
  while (words_[slot] != 0 && words_[slot] != wanted) slot = (slot + 1) & (slots_ - 1);
  const bool fresh = words_[slot] == 0;
  words_[slot] = wanted;
  return fresh;
}

size_t DistinctClasses::keep_new(const int64_t* candidates, size_t length, int64_t* kept, size_t* count, size_t limit) {
  size_t i = 0, held = *count;
  for (; i < length && held < limit; ++i) {
    kept[held] = candidates[i];
    held += insert(candidates[i]) ? 1 : 0;
  }
  *count = held;
  return i;
}

void DistinctClasses::forget(const int64_t* ids, size_t length) {
  if (bitmap_) {
    for (size_t i = 0; i < length; ++i) words_[static_cast<size_t>(ids[i] / 64)] = 0;
  } else {
    // Slots cannot be emptied one by one: a chain of probes may run through them.
    std::fill_n(words_.begin(), slots_, 0);
  }
}

}  // namespace sampled_softmax
