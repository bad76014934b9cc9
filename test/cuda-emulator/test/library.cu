// A library with a kernel, as a program opens it at run time: one call trains for a while on a stream of its own.
#include <cuda_runtime.h>

__global__ void scale(float* x, int n, float f) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= f;
}

extern "C" __attribute__((visibility("default"))) int scale_on_device(float* x, int n, float f) {
  cudaStream_t stream;
  float* d = nullptr;
  if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return 1;
  if (cudaMallocAsync(reinterpret_cast<void**>(&d), n * sizeof(float), stream) != cudaSuccess) return 2;
  cudaMemcpyAsync(d, x, n * sizeof(float), cudaMemcpyHostToDevice, stream);
  scale<<<(n + 127) / 128, 128, 0, stream>>>(d, n, f);
  cudaMemcpyAsync(x, d, n * sizeof(float), cudaMemcpyDeviceToHost, stream);
  cudaFreeAsync(d, stream);
  cudaStreamSynchronize(stream);
  cudaStreamDestroy(stream);
  return cudaGetLastError() == cudaSuccess ? 0 : 3;
}
