// One warp a row: log-sum-exp in one pass, float4 loads, shuffles. cols % 4 == 0.
#pragma once

__global__ void __launch_bounds__(256)
    log_sum_exp(const float* __restrict__ x, float* __restrict__ out, int rows, int cols) {
  const int lane = threadIdx.x % 32, row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (row >= rows) return;
  const float4* p = reinterpret_cast<const float4*>(x + size_t(row) * cols);
  float m = -INFINITY, s = 0;
  for (int i = lane; i < cols / 4; i += 32) {
    const float4 v = p[i];
    const float most = fmaxf(m, fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
    s = s * __expf(m - most) + __expf(v.x - most) + __expf(v.y - most) + __expf(v.z - most) + __expf(v.w - most);
    m = most;
  }
  for (int o = 16; o; o /= 2) {
    const float other_m = __shfl_xor_sync(~0u, m, o), other_s = __shfl_xor_sync(~0u, s, o), most = fmaxf(m, other_m);
    s = (m == -INFINITY ? 0 : s * __expf(m - most)) + (other_m == -INFINITY ? 0 : other_s * __expf(other_m - most));
    m = most;
  }
  if (lane == 0) out[row] = m + __logf(s);
}
