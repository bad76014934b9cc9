// Launches that a device refuses, what it says of kernels, and calls with what does not exist.
#include "check.h"
#include "device_array.h"

__global__ void plain(float* y) { y[threadIdx.x] = 1; }
__global__ void __launch_bounds__(64) bounded(float* y) { y[threadIdx.x] = 1; }
__global__ void dynamic(float* y, int n) {
  extern __shared__ float shared[];
  shared[n - 1 - threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) y[0] = shared[n - 1];
}

static void test_launches() {
  DeviceArray<float> y(64);
  bounded<<<1, 65>>>(y);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue && check::found("api", "__launch_bounds__"));
  bounded<<<1, 0>>>(y);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration && check::found("api", "0 threads"));
  plain<<<1, 1025>>>(y);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration && check::found("api", "1025 threads"));
  plain<<<0, 1>>>(y);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration && check::found("api", "grid"));
  plain<<<dim3(1, 65536), 1>>>(y);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration && check::found("api", "grid"));
  dynamic<<<1, 64, 60000>>>(y, 15000);
  CHECK(cudaGetLastError() == cudaErrorInvalidValue && check::found("api", "48 KB"));
  CHECK(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 300000) == cudaErrorInvalidValue);
  CHECK(check::found("api", "more shared memory"));
  CHECK(cudaFuncSetAttribute(dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000) == cudaSuccess);
  cudaGetLastError();
  dynamic<<<1, 64, 60000>>>(y, 15000);
  CHECK(cudaDeviceSynchronize() == cudaSuccess && y.get()[0] == 0);
  dynamic<<<1, 64, 60000>>>(y, 15001);
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress && check::found("fault", "shared offset 60000 of 60000"));
  cudaDeviceReset();
  cudaFuncAttributes attributes;
  CHECK(cudaFuncGetAttributes(&attributes, bounded) == cudaSuccess && attributes.maxThreadsPerBlock == 64);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, plain, 1024, 0) == cudaSuccess && blocks == 2);
  CHECK(check::nothing_found());
}

static void test_misuse() {
  float host[4];
  DeviceArray<float> y(4);
  CHECK(cudaMemcpy(y, host, 17, cudaMemcpyHostToDevice) == cudaErrorInvalidValue && check::found("api", "outside"));
  CHECK(cudaMemcpy(y, host, 16, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue && check::found("api", "direction"));
  CHECK(cudaMemset(y, 0, 17) == cudaErrorInvalidValue && check::found("api", "outside"));
  CHECK(cudaFree(y + 1) == cudaErrorInvalidValue && check::found("api", "not a live allocation"));
  CHECK(cudaFreeHost(host) == cudaErrorInvalidValue && check::found("api", "not a live allocation"));
  cudaStream_t s;
  cudaStreamCreate(&s);
  cudaStreamDestroy(s);
  CHECK(cudaStreamSynchronize(s) == cudaErrorInvalidResourceHandle && check::found("api", "does not exist"));
  cudaEvent_t e;
  cudaEventCreate(&e);
  cudaEventDestroy(e);
  CHECK(cudaEventRecord(e, nullptr) == cudaErrorInvalidResourceHandle && check::found("api", "does not exist"));
  cudaGetLastError();
}

int main() {
  test_launches();
  test_misuse();
  return check::summary("launches");
}
