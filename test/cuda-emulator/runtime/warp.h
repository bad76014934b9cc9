// What the lanes of a warp exchange through registers.
#pragma once
#include <cstdint>

#include "runtime/thread.h"

namespace cuemu {

void syncwarp(uint32_t mask);

enum class Shuffle { Index, Up, Down, Butterfly };
struct Shuffled {
  uint32_t value;
  bool in_range;
};
// `b` is the lane or the distance, `c` PTX's clamp and segment mask.
Shuffled shuffle(Shuffle kind, uint32_t mask, uint32_t value, uint32_t b, uint32_t c);

uint32_t ballot(uint32_t mask, bool predicate);
uint32_t match_any(uint32_t mask, uint64_t value);
struct Matched {
  uint32_t mask;  // 0 where they are not all the same
  bool all;
};
Matched match_all(uint32_t mask, uint64_t value);

enum class Reduce { Add, MinSigned, MaxSigned, MinUnsigned, MaxUnsigned, And, Or, Xor };
uint32_t reduce(Reduce kind, uint32_t mask, uint32_t value);

// The least that the hardware may answer: code that needs more must synchronize.
inline uint32_t active_mask() { return 1u << self->lane; }

}  // namespace cuemu
