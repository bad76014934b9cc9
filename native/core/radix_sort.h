// Sorting what belongs to ids by them: time in proportion to the bits of the largest.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {

// An item and the id it belongs to; the narrow ones take half the memory.
struct Keyed {
  int64_t key, item;  // not negative
};
struct NarrowKeyed {
  uint32_t key, item;
};
constexpr int64_t kNarrowKeys = int64_t{1} << 32;  // keys and items below fit a NarrowKeyed

// Sorts by key and, among equal keys, by item; items come in ascending order. Where a second array would be large, in
// place, which takes longer.
template <class Item>
void sort_by_key(std::vector<Item>& items) {
  constexpr size_t kMostRoom = size_t{16} << 20;  // bytes
  if (items.size() * sizeof(Item) > kMostRoom) {
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.key != b.key ? a.key < b.key : a.item < b.item; });
    return;
  }
  uint64_t bits = 0;
  for (const Item& item : items) bits |= static_cast<uint64_t>(item.key);
  std::vector<Item> other(items.size());
  for (int shift = 0; shift < 64 && (bits >> shift) != 0; shift += 8) {
    const auto digit = [&](const Item& item) { return (static_cast<uint64_t>(item.key) >> shift) & 255; };
    size_t start[257] = {0};
    for (const Item& item : items) ++start[digit(item) + 1];
    for (int i = 0; i < 256; ++i) start[i + 1] += start[i];
    for (const Item& item : items) other[start[digit(item)]++] = item;
    items.swap(other);
  }
}

}  // namespace sampled_softmax
