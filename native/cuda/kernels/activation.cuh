// From a stored logit to what its gradient is a multiple of. A logit that was left out is -infinity: its activation is
// 0.
#pragma once

#include <cuda_runtime.h>

#include "core/problem.h"

namespace sampled_softmax {
namespace cuda {

// exp(x) for x <= 0 or NaN, good enough where many are summed: within 2 units in the last place.
static __device__ __forceinline__ float exp_of(float x) { return expf(x); }
static __device__ __forceinline__ double exp_of(double x) { return exp(x); }

// The same for what a product in tf32 or bf16 gives, whose errors are a thousand times larger: within 2e-7 of 1. The
// multiplication of x moves it by 2^-24 of itself, where exp(x) is small as soon as that is much.
static __device__ __forceinline__ float exp_in_brief(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.44269504f));
  return result;
}

// A value in two parts, for sums whose rounding would show: a bias gradient may be what is left when large terms meet
// (of expf, 6e-6 of its largest element in one of TensorFlow's cases).
template <class T>
struct Parts {
  T high, low;
};

// exp(z - max) for z <= max or NaN, within 2e-8 of itself; zero where it would be below the smallest normal number.
//
// z - max = n ln 2 + r: 2^n comes from the low bits of x / ln 2 + 1.5 * 2^23, added to the exponents of 1 + r + r^2
// q(r), whose q has the least relative error on [-ln 2 / 2, ln 2 / 2]: 3.1e-9. What rounding takes from the difference
// and from the last sum is kept.
static __device__ __forceinline__ Parts<float> exp_of_difference(float z, float max) {
  const float x = z - max;
  if (!(x >= -87.33654f)) return {x < 0 ? 0.0f : x, 0.0f};  // a NaN as it is
  const float back = x - z, lost = (z - (x - back)) - (max + back);
  const float y = fmaf(x, 1.44269504f, 12582912.0f), n = y - 12582912.0f;
  const float r = fmaf(n, 2.12194440e-4f, fmaf(n, -0.693359375f, x));  // ln 2 in two parts: n times the first is exact
  float q = 0.0013814610f;
  q = fmaf(q, r, 0.0083687110f);
  q = fmaf(q, r, 0.0416683890f);
  q = fmaf(q, r, 0.1666652113f);
  q = fmaf(q, r, 0.4999999404f);
  const float t = fmaf(q, r * r, r), high = 1.0f + t, low = fmaf(high, lost, t - (high - 1.0f));
  const int exponent = __float_as_int(y) << 23;
  // The low part may be zero or tiny, so its exponent cannot be added to.
  const float unit = __int_as_float(0x3f800000 + exponent);
  return {__int_as_float(__float_as_int(high) + exponent), low * unit};
}
static __device__ __forceinline__ Parts<double> exp_of_difference(double z, double max) { return {exp(z - max), 0.0}; }

// A sum of terms >= 0 that keeps what each addition rounds away: as good as one in double, which is slow where a device
// has few units for it.
template <class T>
struct CarefulSum {
  T sum = 0, lost = 0;

  __device__ __forceinline__ void add(Parts<T> x) {
    const T next = sum + x.high;
    lost += (x.high - (next - sum)) + x.low;
    sum = next;
  }
  // An infinite sum has lost NaN.
  __device__ __forceinline__ double total() const {
    return sum - sum == 0 ? static_cast<double>(sum) + static_cast<double>(lost) : static_cast<double>(sum);
  }
};

// `max` is the row's; only the softmax looks at it.
template <class T>
static __device__ __forceinline__ T activation(T z, T max, Loss loss) {
  if (loss == Loss::softmax) return exp_of(z - max);
  const T u = exp_of(-fabs(z));
  return (z < 0 ? u : T(1)) / (T(1) + u);
}

// log(1 + exp(z)).
template <class T>
static __device__ __forceinline__ T softplus(T z) {
  return (z < 0 ? T(0) : z) + log1p(exp_of(-fabs(z)));
}

// As good as exp_in_brief.
static __device__ __forceinline__ float softplus_in_brief(float z) {
  const float u = exp_in_brief(-fabsf(z));
  float log2;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(log2) : "f"(1 + u));
  return fmaxf(z, 0) + (u < 0.004f ? u - u * u / 2 : log2 * 0.693147181f);
}

}  // namespace cuda
}  // namespace sampled_softmax
