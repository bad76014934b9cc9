// Device memory: addresses, allocations, and what may be touched.
//
// A device address points into a range of the address space that is never accessible; the bytes lie at a fixed distance
// behind it. So the host cannot read or write device memory, not even while a kernel runs, and no page protection has
// to be changed for a copy or a launch. Addresses are not used twice, and each allocation ends at an inaccessible page.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "runtime/clock.h"

namespace cuemu {

constexpr uint64_t kArenaBytes = uint64_t(1) << 38;  // of addresses; what a device holds is CUEMU_MEMORY
extern uint64_t arena_begin;

inline bool is_device_address(uint64_t address) { return address - arena_begin < kArenaBytes; }
inline bool is_device_address(const void* p) { return is_device_address(reinterpret_cast<uint64_t>(p)); }

// Where the bytes of an address are: elsewhere for device memory, right there for any other.
inline char* storage(uint64_t address) {
  return reinterpret_cast<char*>(address + (is_device_address(address) ? kArenaBytes : 0));
}
inline char* storage(const void* p) { return storage(reinterpret_cast<uint64_t>(p)); }

struct Pool;

struct CopyAccess {  // by a copy or a fill
  uint64_t begin, end;
  bool writes;
  Moment moment;
  Clock clock;
};

struct Allocation {
  char* base = nullptr;  // the device address
  size_t size = 0;
  int device = 0;
  uint64_t pages_begin = 0, pages_bytes = 0;  // that it has for itself
  std::atomic<bool> live{true};
  Pool* pool = nullptr;      // null for cudaMalloc
  bool all_written = false;  // by a kernel that does not say what it writes

  // The order of streams; see stream_order.h. Guarded by the runtime's mutex.
  Moment allocated, freed;
  Clock freed_clock;
  std::vector<Moment> uses;        // the last one of each stream
  std::vector<CopyAccess> copies;  // and fills, as far as others may yet meet them

  // Of the kernel that now runs; device thread only.
  uint64_t checked_launch = 0;
  std::vector<CopyAccess> unordered;  // copies and fills that are not ordered with it
};

// Both need the runtime's mutex. Fresh memory is filled with 0xff: NaN as a float, -1 as an integer.
Allocation* allocate(int device, size_t bytes);  // null when the emulator has no addresses left
void release(Allocation* allocation);            // the bytes are gone, and touching them is a fault
void release_all(int device);
void for_each_allocation(int device, const std::function<void(Allocation&)>& visit);  // that is live

// The allocation, live or not, whose pages hold the address; null where there never was one. Any thread, no lock.
Allocation* find_allocation(uint64_t address);
inline Allocation* find_allocation(const void* p) { return find_allocation(reinterpret_cast<uint64_t>(p)); }

std::string describe_address(uint64_t address);  // for findings
bool in_allocation(const Allocation& a, uint64_t address, uint64_t bytes);

}  // namespace cuemu
