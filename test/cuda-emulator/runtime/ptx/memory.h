// Loads, stores and atomics of translated code. In a checked build each access is looked at first.
#pragma once
#include <cstring>

#include "runtime/access.h"
#include "runtime/async_copy.h"
#include "runtime/fences.h"
#include "runtime/memory.h"
#include "runtime/ptx/types.h"
#include "runtime/tensor.h"
#include "runtime/thread.h"

#ifndef CUEMU_CHECK
#define CUEMU_CHECK 0
#endif

namespace cuemu::ptx {

constexpr bool kChecked = CUEMU_CHECK;

inline u64 shared_address(u64 offset) { return shared_begin + u32(offset); }

enum class Strength { Weak, Relaxed, Acquire, Release, AcquireRelease };

template <Space space>
inline char* bytes_at(u64 address) {
  return space == Space::Shared ? reinterpret_cast<char*>(address) : storage(address);
}

template <Space space, Strength strength>
inline void check(u32 site, u64 address, unsigned size, Access access) {
  if constexpr (kChecked) {
    check_access(site, address, size, access, space, strength != Strength::Weak);
    if constexpr (strength != Strength::Weak)
      strong_access(address, access, strength == Strength::Acquire || strength == Strength::AcquireRelease,
                    strength == Strength::Release || strength == Strength::AcquireRelease);
  }
}

template <class T, int N>
struct Vector {
  T v[N];
};

// Parameters, local memory and constants, which nobody else writes.
template <class T>
inline T as_stored(const void* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}
template <class T>
inline void store_bytes(void* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

template <class T, Space space, Strength strength>
inline T load(u32 site, u64 address) {
  check<space, strength>(site, address, sizeof(T), Access::Read);
  const T value = as_stored<T>(bytes_at<space>(address));
  if constexpr (strength != Strength::Weak) yield_thread();  // whoever spins on it lets others go on
  return value;
}
template <Space space, Strength strength, class T>
inline void store(u32 site, u64 address, T value) {
  check<space, strength>(site, address, sizeof(T), Access::Write);
  store_bytes(bytes_at<space>(address), value);
}
template <class T, Space space, Strength strength, class Change>
inline T atomic(u32 site, u64 address, Change change) {
  check<space, strength>(site, address, sizeof(T), Access::Update);
  char* const bytes = bytes_at<space>(address);
  const T before = as_stored<T>(bytes);
  store_bytes(bytes, change(before));
  return before;
}
inline void fence_if_checked() {
  if constexpr (kChecked) fence();
}

// Two sites: the read, of as many bytes as are filled, and, one further, the write.
inline void copy_async(u32 site, u64 to, u64 from, u32 bytes, u32 filled) {
  filled = std::min(bytes, filled);
  if constexpr (kChecked) {
    if (filled) check<Space::Global, Strength::Weak>(site, from, filled, Access::Read);
    check<Space::Shared, Strength::Weak>(site + 1, to, bytes, Access::Write);
  }
  start_copy(reinterpret_cast<char*>(to), reinterpret_cast<const char*>(from), bytes, filled, kChecked ? site + 1 : 0);
}

inline void load_matrices(u32 site, u32* fragments, unsigned count, u64 row, bool transposed) {
  if (kChecked && self->lane < 8 * count) check<Space::Shared, Strength::Weak>(site, row, 16, Access::Read);
  cuemu::load_matrices(fragments, count, reinterpret_cast<const void*>(row), transposed);
}

}  // namespace cuemu::ptx
