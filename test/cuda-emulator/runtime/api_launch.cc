// Launches: what nvcc's host code calls to register and start kernels, and the attributes of kernels.
#include <cuda_runtime_api.h>

#include <cstring>
#include <map>

#include "runtime/device.h"
#include "runtime/host_symbols.h"
#include "runtime/kernel.h"
#include "runtime/launch.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

// Filled by static constructors of nvcc's objects.
std::map<const void*, std::string>& kernel_names() {
  static auto& names = *new std::map<const void*, std::string>;
  return names;
}
std::map<const void*, std::string>& variable_names() {
  static auto& names = *new std::map<const void*, std::string>;
  return names;
}
const std::string& name_in(const std::map<const void*, std::string>& names, const void* key) {
  static const auto& none = *new std::string;
  const auto it = names.find(key);
  return it == names.end() ? none : it->second;
}

constexpr bool is(Fault fault, cudaError_t error) { return int(fault) == int(error); }
static_assert(is(kIllegalAddress, cudaErrorIllegalAddress) && is(kAssert, cudaErrorAssert));
static_assert(is(kIllegalInstruction, cudaErrorIllegalInstruction) && is(kLaunchFailure, cudaErrorLaunchFailure));
static_assert(is(kMisalignedAddress, cudaErrorMisalignedAddress));
static_assert(is(kInvalidAddressSpace, cudaErrorInvalidAddressSpace));

struct Configuration {
  dim3 grid, block;
  size_t dynamic_shared;
  cudaStream_t stream;
};
thread_local Configuration pushed;  // between <<<>>> and the kernel's stub

std::string refusal(const Kernel& k, const Configuration& c, Device& d) {
  const uint64_t threads = uint64_t(c.block.x) * c.block.y * c.block.z;
  if (!threads || threads > 1024 || c.block.z > 64) return "a block of " + std::to_string(threads) + " threads";
  if (!c.grid.x || !c.grid.y || !c.grid.z || c.grid.x > 0x7fffffff || c.grid.y > 65535 || c.grid.z > 65535)
    return "a bad grid";
  if (k.max_threads && threads > k.max_threads) return "a block larger than __launch_bounds__";
  if (c.dynamic_shared + k.static_shared > 49152 && int(c.dynamic_shared) > d.dynamic_shared[k.name])
    return "more than 48 KB of shared memory without cudaFuncSetAttribute";
  if (c.dynamic_shared + k.static_shared > properties(d.index).sharedMemPerBlockOptin)
    return "more shared memory than the device has";
  return "";
}

cudaError_t start(const std::string& name, const Configuration& c, void** arguments) {
  return api([&](Lock&) {
    const Kernel* k = find_kernel(name.c_str());
    if (!k) return fail(cudaErrorInvalidDeviceFunction, "no translated kernel is named " + name);
    const auto stream = find_stream(c.stream);
    if (!stream || stream->device != &current_device())
      return fail(cudaErrorInvalidResourceHandle, name + ": the stream is not one of the current device");
    Device& d = *stream->device;
    if (const std::string why = refusal(*k, c, d); !why.empty()) {
      const bool shape = why.starts_with("a block of") || why.starts_with("a bad");
      return fail(shape ? cudaErrorInvalidConfiguration : cudaErrorInvalidValue, name + ": " + why);
    }
    std::vector<unsigned char> parameters(k->parameter_bytes + 16);
    for (size_t i = 0; i < k->parameter_count; ++i)
      std::memcpy(parameters.data() + k->parameters[i].offset, arguments[i], k->parameters[i].size);
    const Grid shape{{c.grid.x, c.grid.y, c.grid.z}, {c.block.x, c.block.y, c.block.z}, uint32_t(c.dynamic_shared)};
    enqueue(stream, [=, index = d.index, parameters = std::move(parameters)] {
      return cudaError_t(run_grid(*k, shape, parameters.data(), index));
    });
    return cudaSuccess;
  });
}

}  // namespace

const std::string& kernel_name(const void* f) { return name_in(kernel_names(), f); }
const std::string& variable_name(const void* v) { return name_in(variable_names(), v); }

}  // namespace cuemu

using namespace cuemu;

extern "C" {

// ---- what nvcc's objects call; private to the toolkit, not documented
void** __cudaRegisterFatBinary(void*) {
  static void* module;
  return &module;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  kernel_names()[host] = name;
}
void __cudaRegisterVar(void**, char* host, char*, const char* name, int, size_t, int, int) {
  variable_names()[host] = name;
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
  pushed = {grid, block, shared, stream};
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  *grid = pushed.grid;
  *block = pushed.block;
  *shared = pushed.dynamic_shared;
  *static_cast<cudaStream_t*>(stream) = pushed.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* out, const void* f) {
  *out = reinterpret_cast<cudaKernel_t>(const_cast<void*>(f));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t k, dim3 grid, dim3 block, void** arguments, size_t shared,
                               cudaStream_t stream) {
  return start(kernel_name(k), {grid, block, shared, stream}, arguments);
}

// ---- the documented ones
cudaError_t cudaLaunchKernel(const void* f, dim3 grid, dim3 block, void** arguments, size_t shared,
                             cudaStream_t stream) {
  return start(kernel_name(f), {grid, block, shared, stream}, arguments);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* f, void** arguments) {
  return start(kernel_name(f), {c->gridDim, c->blockDim, c->dynamicSmemBytes, c->stream}, arguments);
}

cudaError_t cudaFuncSetAttribute(const void* f, cudaFuncAttribute attribute, int value) {
  return api([&](Lock&) {
    const Kernel* k = find_kernel(kernel_name(f).c_str());
    if (!k) return fail(cudaErrorInvalidDeviceFunction, "cudaFuncSetAttribute of something that is no kernel");
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
    Device& d = current_device();
    if (value < 0 || value + k->static_shared > properties(d.index).sharedMemPerBlockOptin)
      return fail(cudaErrorInvalidValue, kernel_name(f) + ": more shared memory than the device has");
    d.dynamic_shared[k->name] = value;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* f) {
  return api([&](Lock&) {
    const Kernel* k = find_kernel(kernel_name(f).c_str());
    if (!k) return fail(cudaErrorInvalidDeviceFunction, "cudaFuncGetAttributes of something that is no kernel");
    Device& d = current_device();
    *out = {};
    out->sharedSizeBytes = k->static_shared;
    out->maxThreadsPerBlock = k->max_threads ? int(k->max_threads) : 1024;
    out->maxDynamicSharedSizeBytes = std::max(49152 - int(k->static_shared), d.dynamic_shared[k->name]);
    out->numRegs = 32;  // nobody knows before ptxas
    out->ptxVersion = out->binaryVersion = settings().compute_capability;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* f, int threads,
                                                                   size_t dynamic_shared, unsigned) {
  return api([&](Lock&) {
    const Kernel* k = find_kernel(kernel_name(f).c_str());
    if (!k || threads <= 0) return cudaErrorInvalidValue;
    const cudaDeviceProp p = properties(current_device().index);
    const size_t shared = k->static_shared + dynamic_shared + p.reservedSharedMemPerBlock;
    *blocks = std::min({p.maxThreadsPerMultiProcessor / ((threads + 31) / 32 * 32), p.maxBlocksPerMultiProcessor,
                        shared ? int(p.sharedMemPerMultiprocessor / shared) : p.maxBlocksPerMultiProcessor});
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* f, int threads,
                                                          size_t dynamic_shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, f, threads, dynamic_shared, 0);
}
}
