// Stable sort of keyed items, for ids: time in proportion to the bytes of the largest key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {

struct Keyed {
  int64_t key;  // not negative
  int64_t item;
};

// Least significant byte first, over the bytes that any key needs; equal keys keep their order.
inline void radix_sort(std::vector<Keyed>& items) {
  int64_t bits = 0;
  for (const Keyed& item : items) bits |= item.key;
  std::vector<Keyed> other(items.size());
  for (int shift = 0; shift < 64 && (bits >> shift) != 0; shift += 8) {
    size_t start[257] = {0};
    for (const Keyed& item : items) ++start[((item.key >> shift) & 255) + 1];
    for (int i = 0; i < 256; ++i) start[i + 1] += start[i];
    for (const Keyed& item : items) other[start[(item.key >> shift) & 255]++] = item;
    items.swap(other);
  }
}

}  // namespace sampled_softmax
