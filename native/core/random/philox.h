// Philox4x32-10, the counter-based generator of TensorFlow (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011): block number c under key k is a pure function of (k, c), so any part of a stream can
// be had at any time.
//
// Only integer arithmetic: the same words on every machine. All functions are `static inline`; dtype.h says
// why.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/anywhere.h"

namespace sampled_softmax {

// A position in a stream: a 64-bit key, and the 128-bit number of the next block of four 32-bit words.
struct Philox {
  uint64_t key = 0;
  uint64_t counter_low = 0;
  uint64_t counter_high = 0;
};

// TensorFlow's use of its two seeds: the first is the key, the second the upper half of the counter.
static inline Philox philox_from_seeds(uint64_t seed, uint64_t seed2) { return {seed, 0, seed2}; }

// The four words of one block. A plain scalar function on purpose: out-of-order execution overlaps the blocks
// of a loop (7 ns a block), where the compiler's own vectorisation for SSE2 needs 27 ns and intrinsics 5 ns.
SAMPLED_SOFTMAX_ANYWHERE static inline void philox_block(uint64_t key, uint64_t counter_low, uint64_t counter_high,
                                                         uint32_t* words) {
  uint32_t c0 = static_cast<uint32_t>(counter_low), c1 = static_cast<uint32_t>(counter_low >> 32);
  uint32_t c2 = static_cast<uint32_t>(counter_high), c3 = static_cast<uint32_t>(counter_high >> 32);
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * c0, product1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// Writes the next `blocks` blocks and moves on by as many.
static inline void philox_next(Philox& philox, uint32_t* words, size_t blocks) {
  for (size_t i = 0; i < blocks; ++i) {
    philox_block(philox.key, philox.counter_low, philox.counter_high, words + 4 * i);
    if (++philox.counter_low == 0) ++philox.counter_high;
  }
}

// Adds `blocks` to the counter as TensorFlow does: where the upper half of `blocks` is 2^32 - 1 and the lower
// half carries, that carry is lost. Only a skip of 2^64 - 2^32 blocks or more can meet this.
static inline void philox_skip(Philox& philox, uint64_t blocks) {
  const uint32_t add_low = static_cast<uint32_t>(blocks);
  uint32_t add_high = static_cast<uint32_t>(blocks >> 32);
  uint32_t word0 = static_cast<uint32_t>(philox.counter_low), word1 = static_cast<uint32_t>(philox.counter_low >> 32);
  word0 += add_low;
  if (word0 < add_low) ++add_high;
  word1 += add_high;
  if (word1 < add_high) ++philox.counter_high;
  philox.counter_low = word0 | static_cast<uint64_t>(word1) << 32;
}

}  // namespace sampled_softmax
