// The race check: two accesses to one place, at least one of them a write, need an order between them (order.h). The
// emulator runs one thread at a time and needs no luck to see a race: the order is missing under every schedule.
#pragma once
#include <cstdint>

#include "runtime/access.h"

namespace cuemu {

struct Touch {
  uint32_t site;
  uint64_t address;  // as the kernel names it
  unsigned size;
  Access access;
  bool strong;  // atomic, volatile, relaxed and so on: such accesses do not race with each other
  bool read_only_load;
  bool shared;
};
void check_races(const Touch& touch);

// Shared memory that a cp.async fills may not be touched until its group has been waited for.
void mark_in_flight(uint64_t address, unsigned bytes, bool in_flight);

void forget_accesses(uint64_t first, uint64_t bytes);  // of freed device memory; whole pages
void forget_all_accesses();

// For copies and fills: whether a kernel that is not ordered with the operation now running has written these bytes, or
// read them if `reads_too`.
bool touched_by_unordered_kernel(uint64_t address, uint64_t bytes, bool reads_too);

}  // namespace cuemu
