// Sampled softmax, forward, in one kernel: logits of a 64 x 64 tile in shared memory, and an online softmax over S
// samples and the true class. 256 threads, 4 x 4 logits each. B % 64 == S % 64 == D % 16 == 0.
#pragma once

enum class TileMistake { None, NoBarrierAfterStore, NoBarrierBeforeNextStore };

template <TileMistake kMistake>
__global__ void __launch_bounds__(256)
    fused_loss(const float* __restrict__ inputs, const float* __restrict__ weights, const int* __restrict__ sampled,
               const int* __restrict__ labels, const float* __restrict__ log_q, float* __restrict__ losses, int S,
               int D) {
  constexpr int kTile = 64, kDepth = 16, kPad = 4;
  __shared__ float a[kDepth][kTile + kPad], b[kDepth][kTile + kPad];
  const int t = threadIdx.x, tx = t % 16, ty = t / 16, first_row = blockIdx.x * kTile;
  const int load_row = t / 4, load_k = t % 4 * 4;
  float m[4], s[4];
  for (int i = 0; i < 4; ++i) m[i] = -INFINITY, s[i] = 0;
  for (int n = 0; n < S; n += kTile) {
    float logit[4][4] = {};
    const size_t row = size_t(sampled[n + load_row]) * D;
    for (int k0 = 0; k0 < D; k0 += kDepth) {
      const float4 u = *reinterpret_cast<const float4*>(inputs + size_t(first_row + load_row) * D + k0 + load_k);
      const float4 v = *reinterpret_cast<const float4*>(weights + row + k0 + load_k);
      a[load_k][load_row] = u.x, a[load_k + 1][load_row] = u.y, a[load_k + 2][load_row] = u.z,
      a[load_k + 3][load_row] = u.w;
      b[load_k][load_row] = v.x, b[load_k + 1][load_row] = v.y, b[load_k + 2][load_row] = v.z,
      b[load_k + 3][load_row] = v.w;
      if (kMistake != TileMistake::NoBarrierAfterStore) __syncthreads();
#pragma unroll
      for (int k = 0; k < kDepth; ++k)
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) logit[i][j] += a[k][ty * 4 + i] * b[k][tx * 4 + j];
      if (kMistake != TileMistake::NoBarrierBeforeNextStore) __syncthreads();
    }
    for (int i = 0; i < 4; ++i) {
      float most = -INFINITY, sum = 0;
      for (int j = 0; j < 4; ++j) most = fmaxf(most, logit[i][j] -= log_q[n + tx * 4 + j]);
      for (int o = 8; o; o /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, o));
      most = fmaxf(most, m[i]);
      for (int j = 0; j < 4; ++j) sum += __expf(logit[i][j] - most);
      for (int o = 8; o; o /= 2) sum += __shfl_xor_sync(~0u, sum, o);
      s[i] = s[i] * __expf(m[i] - most) + sum;
      m[i] = most;
    }
  }
  for (int i = 0; i < 4; ++i) {  // 16 threads share a row's true logit
    const int r = first_row + ty * 4 + i;
    float true_logit = 0;
    for (int k = tx; k < D; k += 16) true_logit += inputs[size_t(r) * D + k] * weights[size_t(labels[r]) * D + k];
    for (int o = 8; o; o /= 2) true_logit += __shfl_xor_sync(~0u, true_logit, o);
    const float most = fmaxf(m[i], true_logit);
    if (tx == 0) losses[r] = most + __logf(s[i] * __expf(m[i] - most) + __expf(true_logit - most)) - true_logit;
  }
}
