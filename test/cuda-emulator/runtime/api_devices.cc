// Devices, their properties, versions, and errors of the calling thread.
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstring>

#include "runtime/device.h"
#include "runtime/events.h"
#include "runtime/exports.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/streams.h"

using namespace cuemu;

namespace {

bool exists(int index) { return index >= 0 && index < settings().devices; }

// A context is a device, counted from one; null where the thread has not chosen any.
CUresult get_context(CUcontext* context) {
  *context = reinterpret_cast<CUcontext>(uintptr_t(chosen_index() + 1));
  return CUDA_SUCCESS;
}
CUresult set_context(CUcontext context) {
  chosen_index() = int(reinterpret_cast<uintptr_t>(context)) - 1;
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

int cuemu_chosen_device() { return chosen_index(); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (const cudaError_t e = unusable()) return fail(e);
  *count = settings().devices;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* index) {
  if (const cudaError_t e = unusable()) return fail(e);
  *index = current_index();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int index) {
  if (const cudaError_t e = unusable()) return fail(e);
  if (!exists(index)) return fail(cudaErrorInvalidDevice);
  chosen_index() = index;
  return cudaSuccess;
}
// Of the driver's functions, those that say and set the context of a thread.
cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
  *function = nullptr;
  if (!std::strcmp(name, "cuCtxGetCurrent")) *function = reinterpret_cast<void*>(get_context);
  if (!std::strcmp(name, "cuCtxSetCurrent")) *function = reinterpret_cast<void*>(set_context);
  *result = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}
cudaError_t cudaSetDeviceFlags(unsigned) {
  return api([](Lock&) { return cudaSuccess; });
}

cudaError_t cudaDeviceSynchronize() {
  return api([](Lock& lock) {
    Device& d = current_device();
    wait_for_device(d, lock);
    return d.fault;
  });
}

// Everything of the device goes, its fault too. (A real driver may want a new process after a fault.)
cudaError_t cudaDeviceReset() {
  return api(
      [](Lock& lock) {
        Device& d = current_device();
        drop_streams(d, lock);
        drop_events(d);
        release_all(d.index);
        d.allocated = 0;
        d.pools.resize(1);
        *d.pools.front() = Pool{&d};
        d.current_pool = d.pools.front().get();
        d.dynamic_shared.clear();
        d.fault = cudaSuccess;
        clear_last_error();
        return cudaSuccess;
      },
      Usable::AfterFault);
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = settings().driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int index) {
  if (const cudaError_t e = unusable()) return fail(e);
  if (!exists(index)) return fail(cudaErrorInvalidDevice);
  *out = properties(index);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* out, cudaDeviceAttr attribute, int index) {
  if (const cudaError_t e = unusable()) return fail(e);
  if (!exists(index)) return fail(cudaErrorInvalidDevice);
  const cudaDeviceProp p = properties(index);
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *out = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxBlockDimX: *out = p.maxThreadsDim[0]; break;
    case cudaDevAttrMaxBlockDimY: *out = p.maxThreadsDim[1]; break;
    case cudaDevAttrMaxBlockDimZ: *out = p.maxThreadsDim[2]; break;
    case cudaDevAttrMaxGridDimX: *out = p.maxGridSize[0]; break;
    case cudaDevAttrMaxGridDimY: *out = p.maxGridSize[1]; break;
    case cudaDevAttrMaxGridDimZ: *out = p.maxGridSize[2]; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *out = int(p.sharedMemPerBlock); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *out = int(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *out = int(p.sharedMemPerMultiprocessor); break;
    case cudaDevAttrReservedSharedMemoryPerBlock: *out = int(p.reservedSharedMemPerBlock); break;
    case cudaDevAttrMaxRegistersPerBlock: *out = p.regsPerBlock; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *out = p.regsPerMultiprocessor; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *out = p.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrMaxBlocksPerMultiprocessor: *out = p.maxBlocksPerMultiProcessor; break;
    case cudaDevAttrMultiProcessorCount: *out = p.multiProcessorCount; break;
    case cudaDevAttrWarpSize: *out = p.warpSize; break;
    case cudaDevAttrComputeCapabilityMajor: *out = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *out = p.minor; break;
    case cudaDevAttrL2CacheSize: *out = p.l2CacheSize; break;
    case cudaDevAttrTotalConstantMemory: *out = int(p.totalConstMem); break;
    case cudaDevAttrAsyncEngineCount: *out = p.asyncEngineCount; break;
    case cudaDevAttrConcurrentKernels: *out = p.concurrentKernels; break;
    case cudaDevAttrUnifiedAddressing: *out = p.unifiedAddressing; break;
    case cudaDevAttrCanMapHostMemory: *out = p.canMapHostMemory; break;
    case cudaDevAttrCanUseHostPointerForRegisteredMem: *out = p.canUseHostPointerForRegisteredMem; break;
    case cudaDevAttrHostRegisterSupported: *out = p.hostRegisterSupported; break;
    case cudaDevAttrMemoryPoolsSupported: *out = p.memoryPoolsSupported; break;
    case cudaDevAttrStreamPrioritiesSupported: *out = p.streamPrioritiesSupported; break;
    case cudaDevAttrPciBusId: *out = p.pciBusID; break;
    default: *out = 0;  // what is not modelled is not there
  }
  return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) {
  if (const cudaError_t e = unusable()) return fail(e);
  *can = 0;
  return cudaSuccess;
}

cudaError_t cudaPeekAtLastError() { return last_error(); }
cudaError_t cudaGetLastError() {
  const cudaError_t e = last_error();
  if (!e || settings().devices <= 0) {
    clear_last_error();
    return e;
  }
  std::lock_guard lock(runtime_mutex());
  if (e != sticky_error()) clear_last_error();  // the fault of a device cannot be cleared
  return e;
}
}
