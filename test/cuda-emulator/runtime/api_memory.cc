// cudaMalloc and its kin, page-locked memory, and what a pointer is.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <map>

#include "runtime/device.h"
#include "runtime/exports.h"
#include "runtime/memory.h"
#include "runtime/pinned.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/stream_order.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

struct Pinned {
  size_t size;
  bool registered;  // by cudaHostRegister, of memory that is the program's own
};
std::map<const char*, Pinned>& pinned() {
  static auto& all = *new std::map<const char*, Pinned>;
  return all;
}
std::mutex& pinned_mutex() {  // not the runtime's: kernels ask for it
  static auto& m = *new std::mutex;
  return m;
}

cudaError_t wait_for_all_devices(Lock& lock) {
  for (int i = 0; i < settings().devices; ++i) wait_for_device(device(i), lock);
  return sticky_error();
}

}  // namespace

bool is_pinned(const void* p) {
  std::lock_guard lock(pinned_mutex());
  const char* c = static_cast<const char*>(p);
  auto it = pinned().upper_bound(c);
  return it != pinned().begin() && c < (--it)->first + it->second.size;
}

}  // namespace cuemu

using namespace cuemu;

uint64_t cuemu_pinned_bytes() {
  std::lock_guard lock(pinned_mutex());
  uint64_t sum = 0;
  for (const auto& [p, block] : pinned()) sum += block.size;
  return sum;
}

extern "C" {

cudaError_t cudaMalloc(void** out, size_t bytes) {
  return api([&](Lock&) {
    *out = nullptr;
    if (!bytes) return cudaSuccess;
    Device& d = current_device();
    Allocation* a = injected_failure() || bytes > free_bytes(d) ? nullptr : allocate(d.index, bytes);
    if (!a) return cudaErrorMemoryAllocation;
    d.allocated += bytes;
    *out = a->base;
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* p) {
  return api([&](Lock& lock) {
    if (!p) return cudaSuccess;
    Allocation* a = find_allocation(p);
    if (!a || a->base != p || !a->live || a->freed.seq)
      return fail(cudaErrorInvalidValue, "cudaFree of a pointer that is not a live allocation");
    Device& d = device(a->device);
    if (a->pool) {
      note_host_free(*a);
      give_back(*a);
    } else {
      wait_for_device(d, lock);
      d.allocated -= a->size;
    }
    release(a);
    return d.fault;
  });
}

cudaError_t cudaHostAlloc(void** out, size_t bytes, unsigned) {
  return api([&](Lock&) {
    *out = nullptr;
    if (!bytes) return cudaSuccess;
    void* p = injected_failure() ? nullptr : std::aligned_alloc(4096, (bytes + 4095) & ~size_t(4095));
    if (!p) return cudaErrorMemoryAllocation;
    std::lock_guard guard(pinned_mutex());
    pinned()[static_cast<char*>(*out = p)] = {bytes, false};
    return cudaSuccess;
  });
}
cudaError_t cudaMallocHost(void** out, size_t bytes) { return cudaHostAlloc(out, bytes, cudaHostAllocDefault); }

cudaError_t cudaFreeHost(void* p) {
  return api([&](Lock& lock) {
    if (!p) return cudaSuccess;
    if (const cudaError_t e = wait_for_all_devices(lock)) return e;
    std::lock_guard guard(pinned_mutex());
    const auto it = pinned().find(static_cast<char*>(p));
    if (it == pinned().end() || it->second.registered)
      return fail(cudaErrorInvalidValue, "cudaFreeHost of a pointer that is not a live allocation");
    pinned().erase(it);
    std::free(p);
    return cudaSuccess;
  });
}

cudaError_t cudaHostRegister(void* p, size_t bytes, unsigned) {
  return api([&](Lock&) {
    if (!p || !bytes) return cudaErrorInvalidValue;
    if (is_pinned(p)) return cudaErrorHostMemoryAlreadyRegistered;
    std::lock_guard guard(pinned_mutex());
    pinned()[static_cast<char*>(p)] = {bytes, true};
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* p) {
  return api([&](Lock& lock) {
    if (const cudaError_t e = wait_for_all_devices(lock)) return e;
    std::lock_guard guard(pinned_mutex());
    const auto it = pinned().find(static_cast<char*>(p));
    if (it == pinned().end() || !it->second.registered) return cudaErrorHostMemoryNotRegistered;
    pinned().erase(it);
    return cudaSuccess;
  });
}

cudaError_t cudaHostGetDevicePointer(void** out, void* host, unsigned) {
  return api([&](Lock&) {
    if (!is_pinned(host)) return cudaErrorInvalidValue;
    *out = host;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return api([&](Lock&) {
    *free = free_bytes(current_device());
    *total = settings().memory;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* p) {
  return api([&](Lock&) {
    *out = {};
    out->device = current_device().index;
    if (const Allocation* a = find_allocation(p); a && a->live) {
      out->type = cudaMemoryTypeDevice;
      out->device = a->device;
      out->devicePointer = const_cast<void*>(p);
    } else if (is_pinned(p)) {
      out->type = cudaMemoryTypeHost;
      out->hostPointer = out->devicePointer = const_cast<void*>(p);
    } else {
      out->type = cudaMemoryTypeUnregistered;
      out->hostPointer = const_cast<void*>(p);
    }
    return cudaSuccess;
  });
}
}
