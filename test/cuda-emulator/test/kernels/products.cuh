// C[M, N] = A[M, K] B[N, K]^T on tensor cores.
#pragma once
#include "ptx.cuh"

// tf32: a warp for each 16 x 8 tile of C, fragments straight from global memory.
__global__ void product_tf32(const float* __restrict__ A, const float* __restrict__ B, float* __restrict__ C, int M,
                             int N, int K) {
  const int lane = threadIdx.x % 32, warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const int row = warp / (N / 8) * 16, column = warp % (N / 8) * 8, g = lane / 4, q = lane % 4;
  if (row >= M) return;
  const float *a = A + size_t(row + g) * K + q, *b = B + size_t(column + g) * K + q;
  float sum[4] = {};
  for (int k = 0; k < K; k += 8) {
    const uint32_t fa[4] = {to_tf32(a[k]), to_tf32(a[8 * K + k]), to_tf32(a[k + 4]), to_tf32(a[8 * K + k + 4])};
    const uint32_t fb[2] = {to_tf32(b[k]), to_tf32(b[k + 4])};
    mma_tf32(sum, fa, fb);
  }
  float* c = C + size_t(row + g) * N + column + 2 * q;
  c[0] = sum[0], c[1] = sum[1], c[8 * N] = sum[2], c[8 * N + 1] = sum[3];
}

enum class PipelineMistake { None, NoWait, NoBarrierAtEnd };

// bf16: blocks of 64 x 64, 4 warps of 32 x 32, K in steps of 32, cp.async into two buffers, swizzled rows, ldmatrix.
template <PipelineMistake kMistake>
__global__ void __launch_bounds__(128)
    product_bf16(const uint16_t* __restrict__ A, const uint16_t* __restrict__ B, float* __restrict__ C, int N, int K) {
  extern __shared__ __align__(16) uint16_t buffers[];  // two of A's 64 x 32 and B's 64 x 32
  const int t = threadIdx.x, lane = t % 32, wm = t / 32 % 2, wn = t / 64, bm = blockIdx.y * 64, bn = blockIdx.x * 64;
  const auto at = [](int row, int chunk) { return row * 32 + ((chunk ^ (row / 2 % 4)) * 8); };
  const auto load = [&](int buffer, int k) {
    uint16_t* to = buffers + buffer * 4096;
    for (int i = t; i < 256; i += 128) {
      const int row = i / 4, chunk = i % 4;
      cp_async_16(to + at(row, chunk), A + size_t(bm + row) * K + k + chunk * 8);
      cp_async_16(to + 2048 + at(row, chunk), B + size_t(bn + row) * K + k + chunk * 8);
    }
    cp_async_commit();
  };
  float sum[2][4][4] = {};
  load(0, 0);
  for (int k = 0, buffer = 0; k < K; k += 32, buffer ^= 1) {
    k + 32 < K ? load(buffer ^ 1, k + 32) : cp_async_commit();
    if (kMistake != PipelineMistake::NoWait) cp_async_wait<1>();
    __syncthreads();
    const uint16_t *a = buffers + buffer * 4096, *b = a + 2048;
#pragma unroll
    for (int chunk = 0; chunk < 4; chunk += 2) {
      uint32_t fa[2][4], fb[2][4];
      for (int i = 0; i < 2; ++i) ldmatrix_x4(fa[i], a + at(wm * 32 + i * 16 + lane % 16, chunk + lane / 16));
      for (int j = 0; j < 2; ++j)
        ldmatrix_x4(fb[j], b + at(wn * 32 + j * 16 + lane % 8 + lane / 16 * 8, chunk + lane / 8 % 2));
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 4; ++j) {
          const uint32_t half[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
          mma_bf16(sum[i][j], fa[i], half);
        }
    }
    if (kMistake != PipelineMistake::NoBarrierAtEnd) __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 4; ++j) {
      float* c = C + size_t(bm + wm * 32 + i * 16 + lane / 4) * N + bn + wn * 32 + j * 8 + lane % 4 * 2;
      *reinterpret_cast<float2*>(c) = make_float2(sum[i][j][0], sum[i][j][1]);
      *reinterpret_cast<float2*>(c + 8 * N) = make_float2(sum[i][j][2], sum[i][j][3]);
    }
}
