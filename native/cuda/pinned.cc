#include "cuda/pinned.h"

#include <cuda_runtime_api.h>

#include <map>
#include <mutex>
#include <new>

#include "cuda/errors.h"

namespace sampled_softmax {
namespace cuda {
namespace {

// Powers of two waste up to half; an eighth of the size above 64 KiB keeps the blocks of one training loop alike.
size_t rounded(size_t bytes) {
  size_t step = size_t{64} << 10;
  while (step * 8 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

struct Cache {
  std::mutex mutex;
  std::multimap<size_t, char*> blocks;
};

// Leaked on purpose: the driver may be gone before the destructors of this library run.
Cache& cache() {
  static Cache* instance = new Cache;
  return *instance;
}

}  // namespace

Status Pinned::take(size_t bytes) {
  release();
  if (bytes == 0) return {};
  const size_t size = rounded(bytes);
  {
    std::lock_guard<std::mutex> lock(cache().mutex);
    const auto found = cache().blocks.find(size);
    if (found != cache().blocks.end()) {
      data_ = found->second;
      bytes_ = size;
      cache().blocks.erase(found);
      return {};
    }
  }
  void* data = nullptr;
  if (Status status = allocate(size, &data); !status.ok()) return status;
  data_ = static_cast<char*>(data);
  bytes_ = size;
  return {};
}

Status Pinned::allocate(size_t bytes, void** data) {
  // Portable: pinned for every device, as any may be handed the block later.
  cudaError_t error = cudaHostAlloc(data, bytes, cudaHostAllocPortable);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    trim();
    error = cudaHostAlloc(data, bytes, cudaHostAllocPortable);
  }
  if (error == cudaSuccess) return {};
  *data = nullptr;
  return check(error, "cudaHostAlloc of %zu bytes of pinned host memory", bytes);
}

void Pinned::release() {
  if (!data_) return;
  try {
    std::lock_guard<std::mutex> lock(cache().mutex);
    cache().blocks.emplace(bytes_, data_);
  } catch (const std::bad_alloc&) {  // no room to remember it
    cudaFreeHost(data_);
  }
  data_ = nullptr;
  bytes_ = 0;
}

void Pinned::trim() {
  std::lock_guard<std::mutex> lock(cache().mutex);
  for (const auto& block : cache().blocks) cudaFreeHost(block.second);
  cache().blocks.clear();
}

}  // namespace cuda
}  // namespace sampled_softmax
