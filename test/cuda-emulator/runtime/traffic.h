// Memory traffic as a GPU would see it: 32-byte sectors of device memory and wavefronts of shared memory per request of
// a warp, counted per source line in checked code. With CUEMU_PREEMPT the requests of a warp fall apart, so none are
// counted.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/access.h"

namespace cuemu {

struct Traffic {  // of one place in the source
  uint64_t requests = 0, lanes = 0;
  uint64_t units = 0, ideal = 0;  // sectors or wavefronts: moved, and the least possible
  bool shared = false;
  Access access = Access::Read;

  void add(const Traffic& other);
};

struct KernelCounts {
  uint64_t launches = 0, threads = 0, collectives = 0, barriers = 0;
  uint64_t bytes_read = 0, bytes_written = 0;  // unique sectors of each launch: what must cross the memory bus
  std::map<uint32_t, Traffic> sites;

  void add(const KernelCounts& other);
};

// ---- while a kernel runs, on the device thread
bool counting();  // only if somebody asked for statistics: it takes time
void start_counting(uint64_t threads);
void count_access(uint32_t site, uint64_t address, unsigned size, Access access, bool shared);
void count_collective();
void count_barrier();
void finish_requests();  // of a warp that has run as far as it could: its lanes' k-th accesses at a site are one
                         // request
void stop_counting(const std::string& kernel);

// ---- at the end
std::map<std::string, KernelCounts> counts();

}  // namespace cuemu
