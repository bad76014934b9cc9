// What a library that holds the emulator exports, for tests that link or dlopen it.
#pragma once
#include <cstdint>

#define CUEMU_EXPORT extern "C" __attribute__((visibility("default")))

CUEMU_EXPORT uint64_t cuemu_finding_count();  // since the start, repetitions included
CUEMU_EXPORT uint64_t cuemu_device_bytes();   // allocated on all devices, with what their pools keep in reserve
CUEMU_EXPORT int cuemu_chosen_device();       // of the calling thread; -1 where it has chosen none
CUEMU_EXPORT uint64_t cuemu_pinned_bytes();   // page-locked host memory, allocated or registered
CUEMU_EXPORT uint64_t cuemu_handles();        // streams and events that have not been destroyed

// Of the allocations from now on (as CUEMU_FAIL_ALLOC counts them) the `first`-th and those after it, `count` in all,
// fail; none for 0. Returns how many have failed since the last such call.
CUEMU_EXPORT uint64_t cuemu_fail_allocations(uint64_t first, uint64_t count);
