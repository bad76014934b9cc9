#include "runtime/device.h"

#include <cstdio>
#include <cstring>
#include <numeric>

#include "runtime/exports.h"
#include "runtime/pool.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

std::vector<std::unique_ptr<Device>>& devices() {
  static auto& all = *new std::vector<std::unique_ptr<Device>>;
  return all;
}

// Which allocations are to fail, and how many there have been.
struct Failures {
  uint64_t first = 0, count = 0;
  uint64_t asked = 0, failed = 0;
};
Failures& failures() {
  static Failures injected{settings().fail_alloc, 1};
  return injected;
}

}  // namespace

Device& device(int index) {
  while (int(devices().size()) < settings().devices) {
    devices().push_back(std::make_unique<Device>());
    Device& d = *devices().back();
    d.index = int(devices().size()) - 1;
    d.legacy = make_stream(d, 0);
    d.current_pool = &make_pool(d);
  }
  return *devices()[size_t(index)];
}

size_t reserved_by_pools(const Device& d) {
  return std::accumulate(d.pools.begin(), d.pools.end(), size_t(0),
                         [](size_t sum, const auto& p) { return sum + p->reserved; });
}

size_t free_bytes(const Device& d) {
  const size_t taken = d.allocated + reserved_by_pools(d);
  return taken < settings().memory ? settings().memory - taken : 0;
}

bool injected_failure() {
  Failures& f = failures();
  ++f.asked;
  const bool fails = f.first && f.asked >= f.first && f.asked - f.first < f.count;
  f.failed += fails;
  return fails;
}

cudaDeviceProp properties(int index) {
  const int cc = settings().compute_capability;
  const bool datacenter = cc == 80 || cc == 90 || cc == 100 || cc == 103;
  cudaDeviceProp p{};
  std::snprintf(p.name, sizeof p.name, "Emulated GPU %d", index);
  std::snprintf(p.uuid.bytes, sizeof p.uuid.bytes, "cuemu-%d", index);
  p.major = cc / 10;
  p.minor = cc % 10;
  p.totalGlobalMem = settings().memory;
  p.multiProcessorCount = 4;
  p.warpSize = 32;
  p.maxThreadsPerBlock = 1024;
  p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
  p.maxThreadsDim[2] = 64;
  p.maxGridSize[0] = 0x7fffffff;
  p.maxGridSize[1] = p.maxGridSize[2] = 65535;
  p.maxThreadsPerMultiProcessor = cc == 75 ? 1024 : datacenter ? 2048 : 1536;
  p.maxBlocksPerMultiProcessor = cc == 75 ? 16 : datacenter ? 32 : 24;
  p.regsPerBlock = p.regsPerMultiprocessor = 65536;
  p.sharedMemPerBlock = 49152;
  p.sharedMemPerBlockOptin = cc == 75 ? 65536 : cc == 80 || cc == 87 ? 166912 : datacenter ? 232448 : 101376;
  p.reservedSharedMemPerBlock = cc == 75 ? 0 : 1024;
  p.sharedMemPerMultiprocessor = p.sharedMemPerBlockOptin + p.reservedSharedMemPerBlock;
  p.totalConstMem = 65536;
  p.l2CacheSize = 40 << 20;
  p.memoryBusWidth = 5120;
  p.memPitch = 0x7fffffff;
  p.textureAlignment = 512;
  p.asyncEngineCount = 3;
  p.concurrentKernels = 1;
  p.unifiedAddressing = 1;
  p.canMapHostMemory = 1;
  p.canUseHostPointerForRegisteredMem = 1;
  p.hostRegisterSupported = 1;
  p.memoryPoolsSupported = 1;
  p.streamPrioritiesSupported = 1;
  p.pciBusID = index + 1;
  return p;
}

}  // namespace cuemu

uint64_t cuemu_device_bytes() {
  std::lock_guard lock(cuemu::runtime_mutex());
  uint64_t sum = 0;
  for (const auto& d : cuemu::devices()) sum += d->allocated + cuemu::reserved_by_pools(*d);
  return sum;
}

uint64_t cuemu_fail_allocations(uint64_t first, uint64_t count) {
  std::lock_guard lock(cuemu::runtime_mutex());
  const uint64_t failed = cuemu::failures().failed;
  cuemu::failures() = {first, count};
  return failed;
}
