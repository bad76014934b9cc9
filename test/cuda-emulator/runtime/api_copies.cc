// Copies and fills.
#include <cuda_runtime_api.h>

#include <cstring>
#include <vector>

#include "runtime/device.h"
#include "runtime/host_symbols.h"
#include "runtime/memory.h"
#include "runtime/modules.h"
#include "runtime/pinned.h"
#include "runtime/runtime.h"
#include "runtime/stream_order.h"
#include "runtime/streams.h"
#include "runtime/written.h"

namespace cuemu {
namespace {

uint64_t address(const void* p) { return reinterpret_cast<uint64_t>(p); }

struct Rectangle {  // rows of `width` bytes; one row for a plain copy
  size_t width, height, to_pitch, from_pitch;

  size_t span(size_t pitch) const { return height ? pitch * (height - 1) + width : 0; }
};

// On the device thread.
cudaError_t copy_rows(void* to, const void* from, const Rectangle& r) {
  const bool there = copy_touches(from, r.span(r.from_pitch), false) & copy_touches(to, r.span(r.to_pitch), true);
  if (!there) return cudaSuccess;  // which is a finding
  for (size_t i = 0; i < r.height; ++i) {
    char* target = static_cast<char*>(to) + i * r.to_pitch;
    const char* source = static_cast<const char*>(from) + i * r.from_pitch;
    std::memmove(storage(target), storage(source), r.width);
    if (is_device_address(to))
      is_device_address(from) ? copy_written(address(target), address(source), r.width)
                              : mark_written(address(target), r.width);
  }
  return cudaSuccess;
}

std::vector<char> packed(const void* from, const Rectangle& r) {
  std::vector<char> bytes(r.width * r.height);
  for (size_t i = 0; i < r.height; ++i)
    std::memcpy(&bytes[i * r.width], static_cast<const char*>(from) + i * r.from_pitch, r.width);
  return bytes;
}

// What is wrong with these bytes of device memory; empty if nothing.
std::string trouble(const void* p, size_t bytes) {
  const Allocation* a = find_allocation(p);
  if (!a || !in_allocation(*a, address(p), bytes)) return "outside of an allocation";
  return !a->live || a->freed.seq ? "of memory that has been freed" : "";
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
  std::string wrong = to_device ? trouble(to, r.span(r.to_pitch)) : "";
  if (wrong.empty() && from_device) wrong = trouble(from, r.span(r.from_pitch));
  if (!wrong.empty()) return fail(cudaErrorInvalidValue, "copy " + wrong);

  Mark mark;
  if (!from_device && !is_pinned(from) && !wait) {
    mark = enqueue(stream, [=, staged = packed(from, r)] {
      return copy_rows(to, staged.data(), {r.width, r.height, r.to_pitch, r.width});
    });
  } else {
    mark = enqueue(stream, [=] { return copy_rows(to, from, r); });
  }
  for (const void* p : {static_cast<const void*>(to), from}) note_use(p, {stream->number, mark.seq});
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
  if (const std::string wrong = trouble(p, bytes); !wrong.empty())
    return fail(cudaErrorInvalidValue, "memset " + wrong);
  const Mark mark = enqueue(stream, [=] {
    if (!copy_touches(p, bytes, true)) return cudaSuccess;
    std::memset(storage(p), value, bytes);
    mark_written(address(p), bytes);
    return cudaSuccess;
  });
  note_use(p, {stream->number, mark.seq});
  return cudaSuccess;
}

Rectangle row(size_t bytes) { return {bytes, 1, bytes, bytes}; }

// A part of a module variable.
template <class Copy>
cudaError_t with_symbol(const void* symbol, size_t bytes, size_t offset, Copy then) {
  Allocation* a = find_variable(variable_name(symbol), current_device().index);
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
