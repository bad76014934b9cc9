// Streams, and the host functions that run in them.
#include <cuda_runtime_api.h>

#include <algorithm>

#include "runtime/device.h"
#include "runtime/runtime.h"
#include "runtime/streams.h"

using namespace cuemu;

namespace {

cudaStream_t handle(const std::shared_ptr<Stream>& s) { return reinterpret_cast<cudaStream_t>(s.get()); }

template <class Body>
cudaError_t with_stream(cudaStream_t stream, Body body) {
  return api([&](Lock& lock) {
    const auto s = find_stream(stream);
    if (!s) return fail(cudaErrorInvalidResourceHandle, "a stream that does not exist, or no longer");
    if (s->device->fault) return s->device->fault;
    return body(s, lock);
  });
}

}  // namespace

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned flags, int priority) {
  return api([&](Lock&) {
    if (injected_failure()) return cudaErrorMemoryAllocation;
    *out = handle(make_stream(current_device(), flags, std::clamp(priority, -5, 0)));
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned flags) {
  return cudaStreamCreateWithPriority(out, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* out) { return cudaStreamCreateWithPriority(out, cudaStreamDefault, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return api([&](Lock&) {
    const auto s = find_stream(stream);
    if (!s || s == s->device->legacy)
      return fail(cudaErrorInvalidResourceHandle, "cudaStreamDestroy of a stream that does not exist");
    destroy_stream(s);
    return s->device->fault;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return with_stream(stream, [](const auto& s, Lock& lock) {
    const std::vector<Mark> ends = ends_of(s);
    for (const Mark& m : ends) want(m);
    for (const Mark& m : ends) wait_for(m, lock);
    return s->device->fault;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return with_stream(stream, [](const auto& s, Lock&) {
    const std::vector<Mark> ends = ends_of(s);
    const bool done = std::all_of(ends.begin(), ends.end(), is_done);
    for (const Mark& m : ends) done ? know(m) : want(m);
    return done ? s->device->fault : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  return with_stream(stream, [&](const auto& s, Lock&) {
    *flags = s->flags;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  return with_stream(stream, [&](const auto& s, Lock&) {
    *priority = s->priority;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* index) {
  return with_stream(stream, [&](const auto& s, Lock&) {
    *index = s->device->index;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api([&](Lock&) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
  });
}

// A host function is not called after a fault, a stream callback is, with the error.
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return with_stream(stream, [&](const auto& s, Lock&) {
    Operation op;
    op.callback = [=](cudaError_t fault) {
      if (!fault) function(data);
    };
    enqueue(s, std::move(op));
    return cudaSuccess;
  });
}
cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void* data, unsigned flags) {
  return with_stream(stream, [&](const auto& s, Lock&) {
    if (flags) return cudaErrorInvalidValue;
    Operation op;
    op.callback = [=](cudaError_t fault) { callback(stream, fault, data); };
    enqueue(s, std::move(op));
    return cudaSuccess;
  });
}
}
