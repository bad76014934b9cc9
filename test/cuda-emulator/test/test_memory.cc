// Stream-ordered memory, pools and their accounting, copies of rectangles, and what is free. Host code only.
#include <cuda_runtime_api.h>

#include "check.h"
#include "gate.h"
#include "runtime/exports.h"

namespace {

constexpr size_t kMiB = 1 << 20;

uint64_t attribute(cudaMemPool_t pool, cudaMemPoolAttr which) {
  uint64_t value = 0;
  CHECK(cudaMemPoolGetAttribute(pool, which, &value) == cudaSuccess);
  return value;
}
bool accounts(cudaMemPool_t pool, size_t used, size_t reserved) {
  const uint64_t is_used = attribute(pool, cudaMemPoolAttrUsedMemCurrent),
                 is_reserved = attribute(pool, cudaMemPoolAttrReservedMemCurrent);
  if (is_used != used || is_reserved != reserved)
    std::printf("  used %zu reserved %zu\n", size_t(is_used), size_t(is_reserved));
  return is_used == used && is_reserved == reserved;
}

cudaMemPool_t new_pool(size_t most = 0) {
  cudaMemPoolProps props = {};
  props.allocType = cudaMemAllocationTypePinned;
  props.location = {cudaMemLocationTypeDevice, 0};
  props.maxSize = most;
  cudaMemPool_t pool = nullptr;
  CHECK(cudaMemPoolCreate(&pool, &props) == cudaSuccess);
  return pool;
}

char* take(size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  void* p = nullptr;
  CHECK(cudaMallocFromPoolAsync(&p, bytes, pool, stream) == cudaSuccess && p);
  return static_cast<char*>(p);
}

void test_accounting(cudaStream_t s) {
  const uint64_t before = cuemu_device_bytes();
  cudaMemPool_t pool = new_pool();
  uint64_t all = UINT64_MAX;
  CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all) == cudaSuccess);
  char *a = take(3 * kMiB, pool, s), *b = take(kMiB, pool, s);
  CHECK(accounts(pool, 4 * kMiB, 4 * kMiB) && cuemu_device_bytes() == before + 4 * kMiB);
  cudaFreeAsync(a, s);
  CHECK(accounts(pool, kMiB, 4 * kMiB));
  char* c = take(2 * kMiB, pool, s);  // from what has been freed, though the stream has not got there
  CHECK(accounts(pool, 3 * kMiB, 4 * kMiB));
  cudaStreamSynchronize(s);
  CHECK(accounts(pool, 3 * kMiB, 4 * kMiB));  // the threshold keeps it
  CHECK(cudaMemPoolTrimTo(pool, 0) == cudaSuccess && accounts(pool, 3 * kMiB, 3 * kMiB));
  {
    Gate gate(s);
    cudaFreeAsync(b, s);
    cudaFreeAsync(c, s);
    CHECK(cudaMemPoolTrimTo(pool, 0) == cudaSuccess && accounts(pool, 0, 3 * kMiB));  // the stream still has it
  }
  cudaStreamSynchronize(s);
  CHECK(cudaMemPoolTrimTo(pool, kMiB) == cudaSuccess && accounts(pool, 0, kMiB));
  CHECK(attribute(pool, cudaMemPoolAttrUsedMemHigh) == 4 * kMiB &&
        attribute(pool, cudaMemPoolAttrReservedMemHigh) == 4 * kMiB);
  uint64_t zero = 0;
  CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrUsedMemHigh, &zero) == cudaSuccess &&
        attribute(pool, cudaMemPoolAttrUsedMemHigh) == 0);
  CHECK(cudaMemPoolDestroy(pool) == cudaSuccess && cuemu_device_bytes() == before);
  CHECK(check::nothing_found());
}

void test_threshold(cudaStream_t s) {
  cudaMemPool_t pool = nullptr, current = nullptr;
  CHECK(cudaDeviceGetDefaultMemPool(&pool, 0) == cudaSuccess && cudaDeviceGetMemPool(&current, 0) == cudaSuccess &&
        pool == current);
  void* p = nullptr;
  CHECK(cudaMallocAsync(&p, kMiB, s) == cudaSuccess && accounts(pool, kMiB, kMiB));
  cudaFreeAsync(p, s);
  cudaStreamSynchronize(s);  // the default threshold is 0
  CHECK(accounts(pool, 0, 0));
  CHECK(cudaMemPoolDestroy(pool) == cudaErrorInvalidValue && check::found("api", "not the program's"));
  cudaMemPool_t small = new_pool(kMiB);
  CHECK(cudaDeviceSetMemPool(0, small) == cudaSuccess);
  CHECK(cudaMallocAsync(&p, kMiB + 1, s) == cudaErrorMemoryAllocation && !p);
  CHECK(cudaMallocAsync(&p, kMiB, s) == cudaSuccess && accounts(small, kMiB, kMiB));
  CHECK(cudaMemPoolDestroy(small) == cudaSuccess);  // it lives until its memory is freed
  CHECK(cudaDeviceGetMemPool(&current, 0) == cudaSuccess && current == pool);
  cudaFreeAsync(p, s);
  cudaStreamSynchronize(s);
  CHECK(cuemu_device_bytes() == 0);
  CHECK(cudaMemPoolTrimTo(small, 0) == cudaErrorInvalidValue && check::found("api", "no such pool"));
  cudaGetLastError();
}

// ---- the order of allocation, use and release

void test_right_order(cudaStream_t a, cudaStream_t b, cudaEvent_t e, cudaMemPool_t pool) {
  char* p = take(64, pool, a);
  cudaMemsetAsync(p, 0, 64, a);
  cudaEventRecord(e, a);
  cudaStreamWaitEvent(b, e, 0);
  cudaMemsetAsync(p, 1, 64, b);
  cudaFreeAsync(p, b);
  cudaDeviceSynchronize();
  char* q = take(64, pool, a);
  cudaStreamSynchronize(a);  // what the host knows, every stream may rely on
  cudaMemsetAsync(q, 0, 64, b);
  cudaStreamSynchronize(b);
  CHECK(cudaFree(q) == cudaSuccess);
  CHECK(check::nothing_found());
}

void test_wrong_orders(cudaStream_t a, cudaStream_t b, cudaMemPool_t pool) {
  char* p = take(64, pool, a);
  cudaMemsetAsync(p, 0, 64, b);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "that another stream allocates"));

  cudaMemsetAsync(p, 0, 64, b);
  cudaFreeAsync(p, a);
  CHECK(check::found("order", "may still use"));
  cudaDeviceSynchronize();
  check::nothing_found();  // the fill may have said so too

  p = take(64, pool, a);
  cudaFreeAsync(p, a);
  CHECK(cudaMemsetAsync(p, 0, 64, a) == cudaErrorInvalidValue);
  CHECK(check::found("api", "memset of memory that has been freed"));
  cudaDeviceSynchronize();
  CHECK(cudaFreeAsync(p, a) == cudaErrorInvalidValue && check::found("api", "not a live allocation"));

  p = take(64, pool, a);
  cudaFreeAsync(p, b);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "than the one that allocates"));

  p = take(64, pool, a);
  cudaMemsetAsync(p, 0, 64, a);
  cudaFree(p);  // does not wait
  CHECK(check::found("order", "cudaFree of stream-ordered memory"));
  cudaDeviceSynchronize();
  check::nothing_found();
  cudaGetLastError();
}

// ---- the rest

void test_rectangles(cudaStream_t s) {
  char from[6 * 10], to[6 * 7];
  for (int i = 0; i < 60; ++i) from[i] = char(i);
  char* p = nullptr;
  CHECK(cudaMalloc(reinterpret_cast<void**>(&p), 6 * 8) == cudaSuccess);
  CHECK(cudaMemcpy2DAsync(p, 8, from, 10, 5, 6, cudaMemcpyHostToDevice, s) == cudaSuccess);
  CHECK(cudaMemcpy2DAsync(to, 7, p, 8, 5, 6, cudaMemcpyDeviceToHost, s) == cudaSuccess);
  bool right = true;
  for (int row = 0; row < 6; ++row)
    for (int i = 0; i < 5; ++i) right &= to[row * 7 + i] == char(row * 10 + i);
  CHECK(right);
  CHECK(cudaMemcpy2D(p, 4, from, 10, 5, 6, cudaMemcpyHostToDevice) == cudaErrorInvalidPitchValue);
  CHECK(cudaMemcpy2D(p, 8, from, 10, 5, 7, cudaMemcpyHostToDevice) == cudaErrorInvalidValue &&
        check::found("api", "outside"));
  cudaFree(p);
  cudaGetLastError();
}

void test_what_is_free() {
  size_t free = 0, total = 0, less = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess && free == total);
  void* p = nullptr;
  CHECK(cudaMalloc(&p, 5 * kMiB) == cudaSuccess);
  CHECK(cudaMemGetInfo(&less, &total) == cudaSuccess && less == free - 5 * kMiB && cuemu_device_bytes() == 5 * kMiB);
  cudaPointerAttributes attributes;
  CHECK(cudaPointerGetAttributes(&attributes, static_cast<char*>(p) + 5) == cudaSuccess &&
        attributes.type == cudaMemoryTypeDevice);
  CHECK(cudaPointerGetAttributes(&attributes, &free) == cudaSuccess && attributes.type == cudaMemoryTypeUnregistered);
  cudaFree(p);
  void* none = &free;
  CHECK(cudaMalloc(&none, total + 1) == cudaErrorMemoryAllocation && !none);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation && cuemu_device_bytes() == 0);
  CHECK(cudaMalloc(&none, 0) == cudaSuccess && !none && cudaFree(nullptr) == cudaSuccess);
  CHECK(cudaHostAlloc(&p, 1000, cudaHostAllocPortable) == cudaSuccess && cuemu_pinned_bytes() == 1000);
  CHECK(cudaPointerGetAttributes(&attributes, p) == cudaSuccess && attributes.type == cudaMemoryTypeHost);
  CHECK(cudaFreeHost(p) == cudaSuccess && cuemu_pinned_bytes() == 0);
}

}  // namespace

int main() {
  cudaStream_t a, b;
  cudaEvent_t e;
  cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking);
  cudaEventCreate(&e);
  test_accounting(a);
  test_threshold(a);
  cudaMemPool_t pool = new_pool();
  test_right_order(a, b, e, pool);
  test_wrong_orders(a, b, pool);
  cudaMemPoolDestroy(pool);
  test_rectangles(a);
  test_what_is_free();
  return check::summary("memory");
}
