// AdaGrad on rows, a warp for each; and a histogram by atomics.
#pragma once

__global__ void adagrad_rows(float* __restrict__ W, float* __restrict__ G2, const int* __restrict__ ids,
                             const float* __restrict__ g, int n, int D, float rate, float epsilon) {
  const int lane = threadIdx.x % 32, r = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (r >= n) return;
  float *w = W + size_t(ids[r]) * D, *squares = G2 + size_t(ids[r]) * D;
  for (int i = lane; i < D; i += 32) {
    const float gradient = g[size_t(r) * D + i], sum = squares[i] + gradient * gradient;
    w[i] -= rate * gradient / (sqrtf(sum) + epsilon);
    squares[i] = sum;
  }
}

// kStrided: neighbouring threads read far apart. bins <= 256.
template <bool kStrided>
__global__ void histogram(const int* __restrict__ x, int n, unsigned* __restrict__ out, int bins) {
  __shared__ unsigned h[256];
  for (int i = threadIdx.x; i < bins; i += blockDim.x) h[i] = 0;
  __syncthreads();
  const int threads = gridDim.x * blockDim.x, id = blockIdx.x * blockDim.x + threadIdx.x,
            each = (n + threads - 1) / threads;
  for (int i = 0; i < each; ++i) {
    const int j = kStrided ? id * each + i : id + i * threads;
    if (j < n) atomicAdd(&h[x[j]], 1u);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < bins; i += blockDim.x)
    if (h[i]) atomicAdd(&out[i], h[i]);
}

// The last block to finish adds up what all blocks have left: right with both fences, a race without.
enum class FenceMistake { None, NoFenceBefore, NoFenceAfter };

template <FenceMistake kMistake>
__global__ void sum_by_last_block(const float* __restrict__ x, float* partial, unsigned* finished, float* sum) {
  __shared__ float values[128];
  __shared__ bool last;
  values[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) {
    float s = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) s += values[i];
    partial[blockIdx.x] = s;
    if (kMistake != FenceMistake::NoFenceBefore) __threadfence();
    last = atomicAdd(finished, 1u) == gridDim.x - 1;
    if (kMistake != FenceMistake::NoFenceAfter) __threadfence();
  }
  __syncthreads();
  if (last && threadIdx.x == 32) {  // not the thread that has seen the counter
    float s = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) s += partial[i];
    *sum = s;
  }
}
