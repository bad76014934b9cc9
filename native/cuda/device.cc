#include "cuda/device.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <utility>

#include "cuda/errors.h"
#include "cuda/pinned.h"

namespace sampled_softmax {
namespace cuda {
namespace {

// "13.0" of 13000.
void write_version(int version, char* text, size_t size) {
  std::snprintf(text, size, "%d.%d", version / 1000, version % 1000 / 10);
}

Status find(std::vector<Device*>& devices) {
  int driver = 0, runtime = 0, count = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) {
    return Status::error(Code::device_unavailable, "no NVIDIA driver is loaded (libcuda.so.1 was not found)");
  }
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    char has[16], needs[16];
    write_version(driver, has, sizeof has);
    write_version(runtime, needs, sizeof needs);
    return Status::error(Code::device_unavailable,
                         "the NVIDIA driver is too old: it supports CUDA %s, and %s is needed", has, needs);
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    return Status::error(Code::device_unavailable, "the NVIDIA driver finds no device");
  }
  if (error != cudaSuccess) {
    return Status::error(Code::device_unavailable, "%s", check(error, "cudaGetDeviceCount").message);
  }
  for (int i = 0; i < count; ++i) devices.push_back(new Device(i));
  return {};
}

// Functions of the driver, which is not linked: the runtime opens it.
struct ContextFunctions {
  CUresult (*get)(CUcontext*) = nullptr;
  CUresult (*set)(CUcontext) = nullptr;
};

template <class Function>
void find_in_driver(const char* name, Function* function) {
  constexpr unsigned kVersion = 12000;
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result;
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &found, kVersion, cudaEnableDefault, &result);
  if (error != cudaSuccess) cudaGetLastError();
  else if (result == cudaDriverEntryPointSuccess) *function = reinterpret_cast<Function>(found);
}

const ContextFunctions& context_functions() {
  static const ContextFunctions functions = [] {
    ContextFunctions found;
    find_in_driver("cuCtxGetCurrent", &found.get);
    find_in_driver("cuCtxSetCurrent", &found.set);
    return found;
  }();
  return functions;
}

}  // namespace

Current::Current(const Device& device) {
  const ContextFunctions& context = context_functions();
  if (!context.get || context.get(&before_) != CUDA_SUCCESS) before_ = nullptr;
  status_ = cudaSetDevice(device.index());
}

Current::~Current() {
  const ContextFunctions& context = context_functions();
  if (context.set) context.set(before_);
}

Device::Device(int index) : index_(index) {
  int major = 0;
  has_tensor_cores_ =
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) == cudaSuccess && major >= 8;
}

Status Device::all(const std::vector<Device*>** devices) {
  static std::vector<Device*>* found = new std::vector<Device*>;
  static const Status status = find(*found);
  *devices = found;
  return status;
}

Status Device::get(int32_t index, Device** device) {
  const std::vector<Device*>* devices;
  if (Status status = all(&devices); !status.ok()) return status;
  if (index < 0 || static_cast<size_t>(index) >= devices->size()) {
    return Status::error(Code::device_unavailable, "no device cuda:%d, there are %zu", index, devices->size());
  }
  *device = (*devices)[static_cast<size_t>(index)];
  return {};
}

Status Device::info(DeviceInfo* info) const {
  cudaDeviceProp properties;
  if (Status status = check(cudaGetDeviceProperties(&properties, index_), "cudaGetDeviceProperties(%d)", index_);
      !status.ok()) {
    return status;
  }
  std::snprintf(info->name, sizeof info->name, "%.*s", static_cast<int>(sizeof info->name - 1), properties.name);
  info->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  info->compute_major = properties.major;
  info->compute_minor = properties.minor;
  return {};
}

Status Device::state() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

Status Device::note(const Status& status) {
  if (status.code != Code::device_failed) return status;
  {
    // What stays, every call returns.
    Current current(*this);
    if (cudaFree(nullptr) == cudaSuccess) return status;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  if (!failure_.ok()) return failure_;
  char kernels[sizeof status.message] = "";
  size_t used = 0;
  for (const Lane& lane : taken_) {
    const char* name = *lane.begun;
    if (!name || used >= sizeof kernels) continue;
    used += static_cast<size_t>(std::snprintf(kernels + used, sizeof kernels - used, "%s%s",
                                              used ? ", " : "; the last kernel to begin: ", name));
  }
  failure_ = Status::error(status.code, "%s%s", status.message, kernels);
  return failure_;
}

Status Device::open_pool() {
  if (pool_) return {};
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = index_;
  if (Status status = check(cudaMemPoolCreate(&pool_, &properties), "cudaMemPoolCreate on cuda:%d", index_);
      !status.ok()) {
    return status;
  }
  // What is freed stays ours until release_memory: to map memory anew would cost more than a step.
  uint64_t all = UINT64_MAX;
  return check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &all), "cudaMemPoolSetAttribute");
}

Status Device::take_lane(Lane* lane) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (Status status = open_pool(); !status.ok()) return status;
  try {
    lanes_.reserve(lanes_.size() + taken_.size() + 1);  // giving it back must not fail
    taken_.reserve(taken_.size() + 1);
  } catch (const std::bad_alloc&) {  // destructors take one too
    return Status::error(Code::out_of_memory, "not enough memory for the call");
  }
  if (lanes_.empty()) {
    if (Status status = make_lane(lane); !status.ok()) return status;
  } else {
    *lane = lanes_.back();
    lanes_.pop_back();
  }
  *lane->begun = nullptr;
  taken_.push_back(*lane);
  return {};
}

Status Device::make_lane(Lane* lane) {
  Lane made;
  void* word = nullptr;
  Status status = Pinned::allocate(sizeof *made.begun, &word);
  made.begun = static_cast<const char**>(word);
  if (status.ok()) {
    status = check(cudaStreamCreateWithFlags(&made.stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  }
  if (status.ok()) {
    status = check(cudaEventCreateWithFlags(&made.done, cudaEventBlockingSync | cudaEventDisableTiming),
                   "cudaEventCreateWithFlags");
  }
  if (status.ok()) *lane = made;
  else end_lane(made);
  return status;
}

void Device::end_lane(const Lane& lane) {
  if (lane.done) cudaEventDestroy(lane.done);
  if (lane.stream) cudaStreamDestroy(lane.stream);
  if (lane.begun) cudaFreeHost(const_cast<const char**>(lane.begun));
}

void Device::give_back(const Lane& lane) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto same = [&](const Lane& other) { return other.stream == lane.stream; };
  taken_.erase(std::find_if(taken_.begin(), taken_.end(), same));
  lanes_.push_back(lane);
}

Status Device::allocate(const Lane& lane, size_t bytes, void** memory) {
  cudaError_t error = cudaMallocFromPoolAsync(memory, bytes, pool_, lane.stream);
  if (error == cudaErrorMemoryAllocation) {
    // What the pool keeps may be in pieces that are too small.
    cudaGetLastError();
    cudaMemPoolTrimTo(pool_, 0);
    error = cudaMallocFromPoolAsync(memory, bytes, pool_, lane.stream);
  }
  if (error == cudaSuccess) return {};
  size_t free = 0, total = 0;
  if (error != cudaErrorMemoryAllocation || cudaMemGetInfo(&free, &total) != cudaSuccess) {
    return check(error, "cudaMallocFromPoolAsync of %zu bytes", bytes);
  }
  return check(error, "%zu bytes on cuda:%d, of whose %zu bytes %zu are free", bytes, index_, total, free);
}

void Device::free(const Lane& lane, void* memory) {
  if (memory && cudaFreeAsync(memory, lane.stream) != cudaSuccess) cudaGetLastError();
}

Status Device::release_memory() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!pool_) return {};
  Current current(*this);
  Pinned::trim();  // here, where the runtime does not have to choose a device for it
  for (const Lane& lane : lanes_) {
    cudaStreamSynchronize(lane.stream);  // nothing is left there but what is being freed
    end_lane(lane);
  }
  lanes_.clear();
  return check(cudaMemPoolTrimTo(pool_, 0), "cudaMemPoolTrimTo");
}

}  // namespace cuda
}  // namespace sampled_softmax
