// Accesses whose traffic can be counted by hand: a kernel of one warp for each, which test_statistics.py names with the
// numbers. Device memory here begins at whole sectors of 32 bytes.
#include <cuda_runtime.h>

#include <cstdint>

#include "check.h"
#include "device_array.h"
#include "kernels/ptx.cuh"

constexpr int kBytes = 4096;

// ---- device memory

template <class T>
__global__ void copy_each(const T* from, T* to) {
  to[threadIdx.x] = from[threadIdx.x];
}

template <class T>
__global__ void copy_every_other(const T* from, T* to) {
  to[2 * threadIdx.x] = from[2 * threadIdx.x];
}

__global__ void copy_shifted(const float* from, float* to) { to[threadIdx.x + 1] = from[threadIdx.x + 1]; }

__global__ void copy_same(const double* from, double* to) { to[threadIdx.x] = from[5]; }

__global__ void copy_few(const double* from, double* to) {
  if (threadIdx.x < 12) to[threadIdx.x] = from[threadIdx.x];
}

__global__ void write_to_host(int* pinned, int* device) {
  pinned[threadIdx.x] = 1;
  device[threadIdx.x] = 1;
}

// ---- shared memory

// Lane i has the element i * stride, in an access of the whole of it; `lanes` says which take part.
template <class T, int kStride, unsigned kLanes = ~0u>
__global__ void store_shared(T* out, T value) {
  __shared__ __align__(16) T words[32 * kStride];
  const bool takes_part = kLanes >> threadIdx.x & 1;
  if (takes_part) words[threadIdx.x * kStride] = value;
  __syncwarp();
  if (takes_part) out[threadIdx.x] = words[threadIdx.x * kStride];
}

__global__ void load_same(float* out, float value) {
  __shared__ float words[32];
  words[threadIdx.x] = value;
  __syncwarp();
  out[threadIdx.x] = words[7];
}

// Four loads, of which ptxas makes one.
__global__ void load_neighbours(float* out, float value) {
  __shared__ __align__(16) float words[128];
  for (int i = 0; i < 4; ++i) words[threadIdx.x + 32 * i] = value;
  __syncwarp();
  float v[4];
  const uint32_t at = shared_offset(words + 4 * threadIdx.x);
  asm volatile("ld.shared.f32 %0, [%1+12];" : "=f"(v[3]) : "r"(at));
  asm volatile("ld.shared.f32 %0, [%1+8];" : "=f"(v[2]) : "r"(at));
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v[0]) : "r"(at));
  asm volatile("ld.shared.f32 %0, [%1+4];" : "=f"(v[1]) : "r"(at));
  out[threadIdx.x] = v[0] + v[1] + v[2] + v[3];
}

// ---- copies, and loads of matrices

// The last lanes fill with zeros what they copy, but for `bytes`.
template <int kBytesOfLast>
__global__ void copy_async(const char* from, int* out, int first_of_last) {
  __shared__ __align__(16) char to[512];
  const int bytes = static_cast<int>(threadIdx.x) < first_of_last ? 16 : kBytesOfLast;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_offset(to + 16 * threadIdx.x)),
               "l"(from + 16 * threadIdx.x), "r"(bytes)
               : "memory");
  cp_async_commit();
  cp_async_wait<0>();
  __syncwarp();
  out[threadIdx.x] = to[16 * threadIdx.x];
}

// Rows that begin kPitch elements of 16 bits apart; `transposed` matters to what is loaded, not from where.
template <int kPitch>
__global__ void load_matrices(uint32_t* out) {
  __shared__ __align__(16) uint16_t rows[32 * kPitch];
  for (int i = 0; i < 8; ++i) rows[threadIdx.x * kPitch + i] = 1;
  __syncwarp();
  uint32_t r[4];
  ldmatrix_x4(r, rows + threadIdx.x * kPitch);
  out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];
}
__global__ void load_one_matrix(uint32_t* out) {
  __shared__ __align__(16) uint16_t rows[8 * 8];
  rows[threadIdx.x] = rows[threadIdx.x + 32] = 1;
  __syncwarp();
  uint32_t r;
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
               : "=r"(r)
               : "r"(shared_offset(rows + threadIdx.x % 8 * 8))
               : "memory");
  out[threadIdx.x] = r;
}

__global__ void never_launched(int* out) { out[threadIdx.x] = 1; }

template <class T>
struct Arrays {
  DeviceArray<T> from{std::vector<T>(kBytes / sizeof(T))}, to{kBytes / sizeof(T)};
};

int main() {
  const Arrays<float> floats;
  const Arrays<double> doubles;
  const Arrays<float4> vectors;
  copy_each<float><<<1, 32>>>(floats.from, floats.to);
  copy_each<double><<<1, 32>>>(doubles.from, doubles.to);
  copy_each<float4><<<1, 32>>>(vectors.from, vectors.to);
  copy_every_other<float4><<<1, 32>>>(vectors.from, vectors.to);
  copy_every_other<double><<<1, 32>>>(doubles.from, doubles.to);
  copy_shifted<<<1, 32>>>(floats.from, floats.to);
  copy_same<<<1, 32>>>(doubles.from, doubles.to);
  copy_few<<<1, 32>>>(doubles.from, doubles.to);

  int* pinned;
  CHECK(cudaMallocHost(&pinned, kBytes) == cudaSuccess);
  const Arrays<int> ints;
  write_to_host<<<1, 32>>>(pinned, ints.to);

  const float4 vector{1, 2, 3, 4};
  store_shared<float, 1><<<1, 32>>>(floats.to, 1);
  store_shared<float, 2><<<1, 32>>>(floats.to, 1);
  store_shared<float, 32><<<1, 32>>>(floats.to, 1);
  store_shared<double, 1><<<1, 32>>>(doubles.to, 1);
  store_shared<double, 2><<<1, 32>>>(doubles.to, 1);
  store_shared<float4, 1><<<1, 32>>>(vectors.to, vector);
  store_shared<float4, 4><<<1, 32>>>(vectors.to, vector);
  store_shared<float4, 5><<<1, 32>>>(vectors.to, vector);
  store_shared<float4, 1, 0xfff><<<1, 32>>>(vectors.to, vector);
  store_shared<float4, 1, 0x01010101><<<1, 32>>>(vectors.to, vector);
  load_same<<<1, 32>>>(floats.to, 1);
  load_neighbours<<<1, 32>>>(floats.to, 1);

  const Arrays<char> bytes;
  copy_async<0><<<1, 32>>>(bytes.from, ints.to, 32);
  copy_async<8><<<1, 32>>>(bytes.from, ints.to, 0);
  copy_async<12><<<1, 32>>>(bytes.from, ints.to, 31);
  copy_async<1><<<1, 32>>>(bytes.from, ints.to, 31);
  const Arrays<uint32_t> words;
  load_matrices<8><<<1, 32>>>(words.to);
  load_matrices<24><<<1, 32>>>(words.to);
  load_matrices<32><<<1, 32>>>(words.to);
  load_one_matrix<<<1, 32>>>(words.to);

  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
  CHECK(check::nothing_found());
  return check::summary("traffic");
}
