// Copies and fills.
#include <cuda_runtime_api.h>

#include <cstring>
#include <vector>

#include "runtime/core.h"
#include "runtime/device.h"
#include "runtime/launch.h"
#include "runtime/memory.h"
#include "runtime/runtime.h"
#include "runtime/stream_order.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

struct Rectangle {  // rows of `width` bytes; one row for a plain copy
  size_t width, height, to_pitch, from_pitch;

  size_t span(size_t pitch) const { return height ? pitch * (height - 1) + width : 0; }
};

void copy_rows(void* to, const void* from, const Rectangle& r) {
  for (size_t i = 0; i < r.height; ++i)
    std::memmove(storage(static_cast<char*>(to) + i * r.to_pitch),
                 storage(static_cast<const char*>(from) + i * r.from_pitch), r.width);
}

bool inside(const void* p, size_t bytes) {
  const Allocation* a = find_allocation(p);
  return a && a->live && in_allocation(*a, reinterpret_cast<uint64_t>(p), bytes);
}

bool fits(cudaMemcpyKind kind, bool to_device, bool from_device) {
  switch (kind) {
    case cudaMemcpyHostToHost: return !to_device && !from_device;
    case cudaMemcpyHostToDevice: return to_device && !from_device;
    case cudaMemcpyDeviceToHost: return !to_device && from_device;
    case cudaMemcpyDeviceToDevice: return to_device && from_device;
    case cudaMemcpyDefault: return true;
  }
  return false;
}

// Pageable host memory is read before the call returns and written before it returns, as by CUDA; page-locked memory is
// touched when the stream gets there, and must be left alone until then.
cudaError_t copy(void* to, const void* from, const Rectangle& r, cudaMemcpyKind kind, cudaStream_t handle, bool wait,
                 Lock& lock) {
  const auto stream = find_stream(handle);
  if (!stream) return fail(cudaErrorInvalidResourceHandle, "copy on a stream that does not exist");
  if (!r.width || !r.height) return cudaSuccess;
  if (r.width > r.to_pitch || r.width > r.from_pitch) return cudaErrorInvalidPitchValue;
  const bool to_device = is_device_address(to), from_device = is_device_address(from);
  if (!fits(kind, to_device, from_device))
    return fail(cudaErrorInvalidValue, "copy: the pointers do not match the direction");
  if ((to_device && !inside(to, r.span(r.to_pitch))) || (from_device && !inside(from, r.span(r.from_pitch))))
    return fail(cudaErrorInvalidValue, "copy outside of an allocation");

  Mark mark;
  if (!from_device && !is_pinned(from) && !wait) {
    auto staged = std::make_shared<std::vector<char>>(r.width * r.height);
    copy_rows(staged->data(), from, {r.width, r.height, r.width, r.from_pitch});
    mark = enqueue(stream, [=] {
      copy_rows(to, staged->data(), {r.width, r.height, r.to_pitch, r.width});
      return cudaSuccess;
    });
  } else {
    mark = enqueue(stream, [=] {
      copy_rows(to, from, r);
      return cudaSuccess;
    });
  }
  for (const void* p : {static_cast<const void*>(to), from})
    if (Allocation* a = find_allocation(p)) note_use(*a, {stream->number, mark.seq}, mark.clock, "a copy");
  if (wait || (!to_device && !is_pinned(to))) {
    wait_for(mark, lock);
    return stream->device->fault;
  }
  return cudaSuccess;
}

cudaError_t fill(void* p, int value, size_t bytes, cudaStream_t handle) {
  const auto stream = find_stream(handle);
  if (!stream) return fail(cudaErrorInvalidResourceHandle, "memset on a stream that does not exist");
  if (!bytes) return cudaSuccess;
  if (!inside(p, bytes)) return fail(cudaErrorInvalidValue, "memset outside of an allocation");
  const Mark mark = enqueue(stream, [=] {
    std::memset(storage(p), value, bytes);
    return cudaSuccess;
  });
  note_use(*find_allocation(p), {stream->number, mark.seq}, mark.clock, "a memset");
  return cudaSuccess;
}

Rectangle row(size_t bytes) { return {bytes, 1, bytes, bytes}; }

// A part of a module variable.
template <class Copy>
cudaError_t with_symbol(const void* symbol, size_t bytes, size_t offset, Copy then) {
  Allocation* a = find_var(variable_name(symbol), current_device().index);
  if (!a) return cudaErrorInvalidSymbol;
  if (offset > a->size || bytes > a->size - offset)
    return fail(cudaErrorInvalidValue, "copy outside of a module variable");
  return then(a->base + offset);
}

}  // namespace
}  // namespace cuemu

using namespace cuemu;

extern "C" {

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return api([&](Lock& lock) { return copy(to, from, row(bytes), kind, nullptr, true, lock); });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return api([&](Lock& lock) { return copy(to, from, row(bytes), kind, stream, false, lock); });
}
cudaError_t cudaMemcpy2D(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                         cudaMemcpyKind kind) {
  return api([&](Lock& lock) {
    return copy(to, from, {width, height, to_pitch, from_pitch}, kind, nullptr, true, lock);
  });
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return api([&](Lock& lock) {
    return copy(to, from, {width, height, to_pitch, from_pitch}, kind, stream, false, lock);
  });
}

cudaError_t cudaMemset(void* p, int value, size_t bytes) {
  return api([&](Lock&) { return fill(p, value, bytes, nullptr); });
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  return api([&](Lock&) { return fill(p, value, bytes, stream); });
}

cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  return api([&](Lock& lock) {
    return with_symbol(symbol, bytes, offset,
                       [&](char* to) { return copy(to, from, row(bytes), kind, nullptr, true, lock); });
  });
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, size_t bytes, size_t offset,
                                    cudaMemcpyKind kind, cudaStream_t stream) {
  return api([&](Lock& lock) {
    return with_symbol(symbol, bytes, offset,
                       [&](char* to) { return copy(to, from, row(bytes), kind, stream, false, lock); });
  });
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, size_t bytes, size_t offset, cudaMemcpyKind kind) {
  return api([&](Lock& lock) {
    return with_symbol(symbol, bytes, offset,
                       [&](char* from) { return copy(to, from, row(bytes), kind, nullptr, true, lock); });
  });
}
cudaError_t cudaGetSymbolAddress(void** out, const void* symbol) {
  return api([&](Lock&) {
    return with_symbol(symbol, 0, 0, [&](char* p) {
      *out = p;
      return cudaSuccess;
    });
  });
}
}
