// Warp collectives: every lane named in a mask arrives, then one function runs once over the data of all of them.
#pragma once
#include <cstdint>

namespace cuemu {

struct LaneData {
  const void* in;
  void* out;
};
using Collective = void (*)(const LaneData* lanes, unsigned present, uint64_t immediate);

// Called by each lane; returns when the collective has run. `what` names it in findings.
void collective(unsigned mask, Collective function, uint64_t immediate, const void* in, void* out, const char* what);

// Runs every collective of a warp whose lanes have all arrived; false if none has. Lanes that have exited need not
// come.
bool run_collectives(unsigned warp);

}  // namespace cuemu
