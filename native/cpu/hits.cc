#include "cpu/hits.h"

namespace sampled_softmax {

Hits::Hits(const int64_t* sampled, int64_t count, HitMask mask) : sampled_(sampled) {
  if (mask == HitMask::keep || count == 0) return;
  int bits = 2;
  while ((int64_t{1} << bits) < 2 * count) ++bits;
  shift_ = 64 - bits;
  mask_ = (uint64_t{1} << bits) - 1;
  table_.assign(size_t{1} << bits, -1);
  for (int64_t c = 0; c < count; ++c) {
    uint64_t i = hash(sampled[c]);
    while (table_[i & mask_] >= 0 && sampled[table_[i & mask_]] != sampled[c]) ++i;
    int32_t& slot = table_[i & mask_];
    if (slot >= 0 && mask == HitMask::all) {
      if (next_.empty()) next_.assign(static_cast<size_t>(count), -1);
      next_[static_cast<size_t>(c)] = slot;
    }
    slot = static_cast<int32_t>(c);
  }
}

}  // namespace sampled_softmax
