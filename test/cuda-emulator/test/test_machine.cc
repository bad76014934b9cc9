// test_machine MODE - how the machine looks that the environment asks for; run.sh sets the variables for each mode.
#include <cuda_runtime_api.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <thread>

#include "check.h"
#include "runtime/exports.h"

namespace {

void test_default() {
  int n = 0, version = 0;
  CHECK(cudaGetDeviceCount(&n) == cudaSuccess && n == 1);
  CHECK(cudaRuntimeGetVersion(&version) == cudaSuccess && version == CUDART_VERSION);
  CHECK(cudaDriverGetVersion(&version) == cudaSuccess && version == CUDART_VERSION);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice && cudaSetDevice(-1) == cudaErrorInvalidDevice);
  CHECK(cudaPeekAtLastError() == cudaErrorInvalidDevice);
  std::thread([] { CHECK(cudaGetLastError() == cudaSuccess); }).join();  // errors belong to threads
  CHECK(cudaGetLastError() == cudaErrorInvalidDevice && cudaGetLastError() == cudaSuccess);
  cudaDeviceProp p;
  int value = 0;
  CHECK(cudaGetDeviceProperties(&p, 0) == cudaSuccess && p.major == 8 && p.minor == 0 && p.warpSize == 32);
  CHECK(p.totalGlobalMem == size_t(8) << 30 && p.sharedMemPerBlockOptin == 163 * 1024);
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess && value == 8);
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess &&
        value == 163 * 1024);
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryPoolsSupported, 0) == cudaSuccess && value == 1);
  CHECK(cudaDeviceGetAttribute(&value, cudaDevAttrMemoryPoolsSupported, 1) == cudaErrorInvalidDevice);
  CHECK(!std::strcmp(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation"));
  CHECK(!std::strcmp(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory"));
  CHECK(!std::strcmp(cudaGetErrorString(cudaErrorIllegalAddress), "an illegal memory access was encountered"));
  CHECK(!std::strcmp(cudaGetErrorName(cudaError_t(12345)), "unrecognized error code"));
  CHECK(check::nothing_found());
}

void test_unusable(cudaError_t error, int driver) {
  int n = 7, version = -1;
  CHECK(cudaDriverGetVersion(&version) == cudaSuccess && version == driver);
  CHECK(cudaGetDeviceCount(&n) == error && n == 0);
  void* p = nullptr;
  cudaStream_t s;
  CHECK(cudaMalloc(&p, 4) == error && cudaStreamCreate(&s) == error && cudaDeviceSynchronize() == error);
  CHECK(cudaGetLastError() == error && cudaGetLastError() == cudaSuccess);
  CHECK(check::nothing_found());
}

void test_two_devices() {
  int n = 0, current = -1;
  CHECK(cudaGetDeviceCount(&n) == cudaSuccess && n == 2);
  void *p0 = nullptr, *p1 = nullptr;
  cudaStream_t s0, s1;
  CHECK(cudaMalloc(&p0, 100) == cudaSuccess && cudaStreamCreate(&s0) == cudaSuccess);
  CHECK(cudaSetDevice(1) == cudaSuccess && cudaGetDevice(&current) == cudaSuccess && current == 1);
  std::thread([] {
    int other = -1;
    CHECK(cudaGetDevice(&other) == cudaSuccess && other == 0);  // every thread has its own
  }).join();
  CHECK(cudaMalloc(&p1, 100) == cudaSuccess && cudaStreamCreate(&s1) == cudaSuccess);
  cudaPointerAttributes attributes;
  CHECK(cudaPointerGetAttributes(&attributes, p0) == cudaSuccess && attributes.device == 0);
  CHECK(cudaPointerGetAttributes(&attributes, p1) == cudaSuccess && attributes.device == 1);
  size_t free = 0, total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess && free == total - 100);
  cudaEvent_t e1;
  CHECK(cudaEventCreate(&e1) == cudaSuccess && cudaEventRecord(e1, s1) == cudaSuccess);
  CHECK(check::nothing_found());
  CHECK(cudaEventRecord(e1, s0) == cudaErrorInvalidResourceHandle && check::found("api", "not of its device"));
  CHECK(cudaStreamWaitEvent(s0, e1, 0) == cudaSuccess);  // waiting works across devices
  CHECK(cudaStreamSynchronize(s0) == cudaSuccess);
  int device = -1;
  CHECK(cudaStreamGetDevice(s0, &device) == cudaSuccess && device == 0);
  cudaDeviceProp a, b;
  CHECK(cudaGetDeviceProperties(&a, 0) == cudaSuccess && cudaGetDeviceProperties(&b, 1) == cudaSuccess);
  CHECK(std::strcmp(a.name, b.name) && a.pciBusID != b.pciBusID && std::memcmp(&a.uuid, &b.uuid, sizeof a.uuid));
}

void test_other_capability() {
  cudaDeviceProp p;
  CHECK(cudaGetDeviceProperties(&p, 0) == cudaSuccess && p.major == 12 && p.minor == 0 &&
        p.sharedMemPerBlockOptin == 99 * 1024);
}

void test_small_memory() {
  void *p = nullptr, *q = nullptr;
  CHECK(cudaMalloc(&p, 600000) == cudaSuccess);
  CHECK(cudaMallocAsync(&q, 600000, nullptr) == cudaErrorMemoryAllocation);
  CHECK(cudaMallocAsync(&q, 400000, nullptr) == cudaSuccess);
  CHECK(cudaFree(p) == cudaSuccess && cudaFreeAsync(q, nullptr) == cudaSuccess);
  size_t free = 0, total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess && total == 1000000 &&
        free == 600000);  // the pool has not let go yet
  CHECK(cudaMalloc(&p, 600001) == cudaErrorMemoryAllocation);
  CHECK(cudaDeviceSynchronize() == cudaSuccess && cudaMalloc(&p, 1000000) == cudaSuccess);
}

void test_failing_allocation() {  // CUEMU_FAIL_ALLOC=3
  void* p[5] = {};
  CHECK(cudaMalloc(&p[0], 8) == cudaSuccess);
  CHECK(cudaMallocHost(&p[1], 8) == cudaSuccess);
  CHECK(cudaMallocAsync(&p[2], 8, nullptr) == cudaErrorMemoryAllocation && !p[2]);
  CHECK(cudaMallocAsync(&p[3], 8, nullptr) == cudaSuccess);
  CHECK(cudaHostAlloc(&p[4], 8, 0) == cudaSuccess);
  CHECK(cuemu_fail_allocations(2, 3) == 1);
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  cudaMemPool_t pool = nullptr;
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 0};
  CHECK(cudaStreamCreate(&stream) == cudaSuccess && cuemu_handles() == 1);
  CHECK(cudaStreamCreate(&stream) == cudaErrorMemoryAllocation);
  CHECK(cudaEventCreate(&event) == cudaErrorMemoryAllocation && !event && cuemu_handles() == 1);
  CHECK(cudaMemPoolCreate(&pool, &properties) == cudaErrorMemoryAllocation && !pool);
  CHECK(cudaEventCreate(&event) == cudaSuccess && cuemu_handles() == 2);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess && cudaEventDestroy(event) == cudaSuccess && cuemu_handles() == 0);
  CHECK(cuemu_fail_allocations(0, 0) == 3 && cudaMalloc(&p[0], 8) == cudaSuccess);
  CHECK(check::nothing_found());
}

bool killed_by_signal(void (*body)()) {
  const pid_t child = fork();
  if (!child) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

void test_host_touch() {
  CHECK(killed_by_signal([] {
    int* p = nullptr;
    cudaMalloc(reinterpret_cast<void**>(&p), 64);
    *static_cast<volatile int*>(p) = 1;
  }));
}

// Ends with something allocated, and with a mistake: run.sh looks at the file of findings.
void leave_findings() {
  void* p = nullptr;
  CHECK(cudaMalloc(&p, 100) == cudaSuccess);
  CHECK(cudaMallocHost(&p, 10) == cudaSuccess);
  cudaStream_t s;
  CHECK(cudaStreamCreate(&s) == cudaSuccess);
  CHECK(cudaFree(&p) == cudaErrorInvalidValue && cuemu_finding_count() == 1);
}

}  // namespace

int main(int, char** argv) {
  const std::string mode = argv[1];
  if (mode == "default") test_default(), test_host_touch();
  if (mode == "old-driver") test_unusable(cudaErrorInsufficientDriver, 12080);
  if (mode == "no-driver") test_unusable(cudaErrorInsufficientDriver, 0);
  if (mode == "no-device") test_unusable(cudaErrorNoDevice, CUDART_VERSION);
  if (mode == "two-devices") test_two_devices();
  if (mode == "other-capability") test_other_capability();
  if (mode == "small-memory") test_small_memory();
  if (mode == "failing-allocation") test_failing_allocation();
  if (mode == "findings") leave_findings();
  return check::summary(("machine, " + mode).c_str());
}
