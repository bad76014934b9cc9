// Stream-ordered allocation and memory pools.
//
// The accounting follows the calls, as the driver's does: memory that a call has freed may serve the next call, though
// the stream has not got there. The bytes themselves go when the stream does, and every allocation has an address of
// its own, so that a late use of freed memory is seen.
#include <cuda_runtime_api.h>

#include "runtime/device.h"
#include "runtime/memory.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/stream_order.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

cudaMemPool_t handle(const Pool* pool) { return reinterpret_cast<cudaMemPool_t>(const_cast<Pool*>(pool)); }

cudaError_t take(void** out, size_t bytes, Pool& pool, const std::shared_ptr<Stream>& stream) {
  *out = nullptr;
  if (!bytes) return cudaSuccess;
  const size_t reserved = std::max(pool.reserved, pool.used + bytes);
  if (injected_failure() || reserved - pool.reserved > free_bytes(*pool.device) ||
      (pool.max_size && reserved > pool.max_size))
    return cudaErrorMemoryAllocation;
  Allocation* a = allocate(pool.device->index, bytes);
  if (!a) return cudaErrorMemoryAllocation;
  a->pool = &pool;
  pool.reserved = reserved;
  pool.used += bytes;
  pool.used_high = std::max(pool.used_high, pool.used);
  pool.reserved_high = std::max(pool.reserved_high, pool.reserved);
  enqueue(stream, [] { return cudaSuccess; });
  a->allocated = {stream->number, stream->issued};
  *out = a->base;
  return cudaSuccess;
}

void destroy_if_empty(Pool& pool) {
  if (!pool.destroyed || pool.used || pool.leaving) return;
  auto& all = pool.device->pools;
  std::erase_if(all, [&](const auto& p) { return p.get() == &pool; });
}

}  // namespace

void Pool::release_down_to(size_t bytes) { reserved = std::max(used + leaving, std::min(reserved, bytes)); }

Pool& make_pool(Device& d) {
  d.pools.push_back(std::make_unique<Pool>());
  d.pools.back()->device = &d;
  return *d.pools.back();
}

Pool* find_pool(cudaMemPool_t wanted) {
  for (int i = 0; i < settings().devices; ++i)
    for (const auto& p : device(i).pools)
      if (handle(p.get()) == wanted && !p->destroyed) return p.get();
  return nullptr;
}

void pools_at_synchronization(Device& d) {
  for (const auto& p : d.pools) p->release_down_to(p->release_threshold);
}

void give_back(Allocation& a) {
  a.pool->used -= a.size;
  destroy_if_empty(*a.pool);
}

}  // namespace cuemu

using namespace cuemu;

extern "C" {

cudaError_t cudaMallocAsync(void** out, size_t bytes, cudaStream_t stream) {
  return api([&](Lock&) {
    const auto s = find_stream(stream);
    return s ? take(out, bytes, *s->device->current_pool, s) : cudaErrorInvalidResourceHandle;
  });
}

cudaError_t cudaMallocFromPoolAsync(void** out, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  return api([&](Lock&) {
    const auto s = find_stream(stream);
    Pool* p = find_pool(pool);
    if (!s || !p) return fail(cudaErrorInvalidValue, "cudaMallocFromPoolAsync: no such pool or stream");
    return take(out, bytes, *p, s);
  });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  return api([&](Lock&) {
    if (!pointer) return cudaSuccess;
    const auto s = find_stream(stream);
    if (!s) return cudaErrorInvalidResourceHandle;
    Allocation* a = find_allocation(pointer);
    if (!a || a->base != pointer || !a->live || a->freed.seq)
      return fail(cudaErrorInvalidValue, "cudaFreeAsync of a pointer that is not a live allocation");
    Device* d = &device(a->device);
    Pool* pool = a->pool;
    if (pool) pool->used -= a->size, pool->leaving += a->size;
    const Mark mark = enqueue(s, [=] {
      std::lock_guard lock(runtime_mutex());
      release(a);
      if (pool) {
        pool->leaving -= a->size;
        destroy_if_empty(*pool);
      } else {
        d->allocated -= a->size;
      }
      return cudaSuccess;
    });
    note_free(*a, {s->number, mark.seq}, mark.clock);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* out, const cudaMemPoolProps* props) {
  return api([&](Lock&) {
    if (props->allocType != cudaMemAllocationTypePinned || props->location.type != cudaMemLocationTypeDevice ||
        props->location.id < 0 || props->location.id >= settings().devices)
      return cudaErrorInvalidValue;
    if (injected_failure()) return cudaErrorMemoryAllocation;
    Pool& pool = make_pool(device(props->location.id));
    pool.max_size = props->maxSize;
    *out = handle(&pool);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t handle) {
  return api([&](Lock&) {
    Pool* p = find_pool(handle);
    if (!p || p == p->device->pools.front().get())
      return fail(cudaErrorInvalidValue, "cudaMemPoolDestroy of a pool that is not the program's");
    if (p->device->current_pool == p) p->device->current_pool = p->device->pools.front().get();
    p->destroyed = true;
    p->release_down_to(0);
    destroy_if_empty(*p);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t handle, size_t bytes) {
  return api([&](Lock&) {
    Pool* p = find_pool(handle);
    if (!p) return fail(cudaErrorInvalidValue, "cudaMemPoolTrimTo: no such pool");
    p->release_down_to(bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return api([&](Lock&) {
    Pool* p = find_pool(handle);
    if (!p) return fail(cudaErrorInvalidValue, "cudaMemPoolSetAttribute: no such pool");
    const auto number = [&] { return *static_cast<uint64_t*>(value); };
    const auto flag = [&] { return *static_cast<int*>(value); };
    switch (attribute) {
      case cudaMemPoolAttrReleaseThreshold: p->release_threshold = number(); break;
      case cudaMemPoolReuseFollowEventDependencies: p->reuse_follow_events = flag(); break;
      case cudaMemPoolReuseAllowOpportunistic: p->reuse_opportunistic = flag(); break;
      case cudaMemPoolReuseAllowInternalDependencies: p->reuse_internal = flag(); break;
      case cudaMemPoolAttrReservedMemHigh:  // high-water marks can only be reset
        if (number()) return cudaErrorInvalidValue;
        p->reserved_high = p->reserved;
        break;
      case cudaMemPoolAttrUsedMemHigh:
        if (number()) return cudaErrorInvalidValue;
        p->used_high = p->used;
        break;
      default: return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return api([&](Lock&) {
    const Pool* p = find_pool(handle);
    if (!p) return fail(cudaErrorInvalidValue, "cudaMemPoolGetAttribute: no such pool");
    const auto number = [&](uint64_t n) { *static_cast<uint64_t*>(value) = n; };
    const auto flag = [&](int n) { *static_cast<int*>(value) = n; };
    switch (attribute) {
      case cudaMemPoolAttrReleaseThreshold: number(p->release_threshold); break;
      case cudaMemPoolReuseFollowEventDependencies: flag(p->reuse_follow_events); break;
      case cudaMemPoolReuseAllowOpportunistic: flag(p->reuse_opportunistic); break;
      case cudaMemPoolReuseAllowInternalDependencies: flag(p->reuse_internal); break;
      case cudaMemPoolAttrReservedMemCurrent: number(p->reserved); break;
      case cudaMemPoolAttrReservedMemHigh: number(p->reserved_high); break;
      case cudaMemPoolAttrUsedMemCurrent: number(p->used); break;
      case cudaMemPoolAttrUsedMemHigh: number(p->used_high); break;
      default: return cudaErrorInvalidValue;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* out, int index) {
  return api([&](Lock&) {
    if (index < 0 || index >= settings().devices) return cudaErrorInvalidDevice;
    *out = handle(device(index).pools.front().get());
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* out, int index) {
  return api([&](Lock&) {
    if (index < 0 || index >= settings().devices) return cudaErrorInvalidDevice;
    *out = handle(device(index).current_pool);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSetMemPool(int index, cudaMemPool_t handle) {
  return api([&](Lock&) {
    if (index < 0 || index >= settings().devices) return cudaErrorInvalidDevice;
    Pool* p = find_pool(handle);
    if (!p || p->device != &device(index)) return cudaErrorInvalidValue;
    device(index).current_pool = p;
    return cudaSuccess;
  });
}
}
