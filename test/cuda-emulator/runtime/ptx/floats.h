// Floating point: f32, f64, and the halves f16 and bf16, which are computed wider and rounded once.
#pragma once
#include <cmath>

#include "runtime/ptx/conversions.h"

namespace cuemu::ptx {

// ---- .ftz and .sat
inline f32 flush(f32 x) { return std::fabs(x) < std::numeric_limits<f32>::min() ? std::copysign(0.f, x) : x; }
template <class T>
inline T saturate(T x) {
  return x > 0 ? (x < 1 ? x : T(1)) : T(0);  // NaN becomes 0
}
template <class H>
inline H saturate_half(H x) {
  return narrow<H>(saturate(widen(x)));
}
template <class H>
inline H relu(H x) {
  return widen(x) > 0 ? x : is_nan(x) ? canonical(x) : H{0};
}

// ---- arithmetic. Sums and products of halves are exact enough in f32: it has more than twice their digits.
inline f32 add(f32 a, f32 b) { return canonical(a + b); }
inline f32 sub(f32 a, f32 b) { return canonical(a - b); }
inline f32 mul(f32 a, f32 b) { return canonical(a * b); }
inline f32 div(f32 a, f32 b) { return canonical(a / b); }
inline f32 fma(f32 a, f32 b, f32 c) { return canonical(__builtin_fmaf(a, b, c)); }
inline f32 sqrt(f32 a) { return canonical(std::sqrt(a)); }
inline f64 add(f64 a, f64 b) { return a + b; }
inline f64 sub(f64 a, f64 b) { return a - b; }
inline f64 mul(f64 a, f64 b) { return a * b; }
inline f64 div(f64 a, f64 b) { return a / b; }
inline f64 fma(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
inline f64 sqrt(f64 a) { return std::sqrt(a); }
template <class T>
inline T rcp(T a) {
  return div(T(1), a);
}

#define CUEMU_HALVES(H)                                             \
  inline H add(H a, H b) { return narrow<H>(widen(a) + widen(b)); } \
  inline H sub(H a, H b) { return narrow<H>(widen(a) - widen(b)); } \
  inline H mul(H a, H b) { return narrow<H>(widen(a) * widen(b)); } \
  inline H neg(H a) { return {u16(a.bits ^ 0x8000)}; }              \
  inline H abs(H a) { return {u16(a.bits & 0x7fff)}; }              \
  inline H fma(H a, H b, H c) { return from_exact<H>(sum_to_odd(f64(widen(a)) * widen(b), widen(c))); }
CUEMU_HALVES(f16)
CUEMU_HALVES(bf16)
#undef CUEMU_HALVES

inline f32 neg(f32 a) { return -a; }
inline f64 neg(f64 a) { return -a; }
inline f32 abs(f32 a) { return std::fabs(a); }
inline f64 abs(f64 a) { return std::fabs(a); }

// ---- minimum and maximum: a number wins against NaN, unless .NaN asks for it; -0 is less than +0
template <class T>
inline bool is_less(T a, T b) {
  return a < b || (a == b && std::signbit(a) && !std::signbit(b));
}
template <class T>
inline T float_min(T a, T b) {
  if (is_nan(a) || is_nan(b)) return canonical(is_nan(a) ? b : a);
  return is_less(widen(b), widen(a)) ? b : a;
}
template <class T>
inline T float_max(T a, T b) {
  if (is_nan(a) || is_nan(b)) return canonical(is_nan(a) ? b : a);
  return is_less(widen(a), widen(b)) ? b : a;
}
template <class T>
inline T min_nan(T a, T b) {
  return is_nan(a) ? canonical(a) : is_nan(b) ? canonical(b) : float_min(a, b);
}
template <class T>
inline T max_nan(T a, T b) {
  return is_nan(a) ? canonical(a) : is_nan(b) ? canonical(b) : float_max(a, b);
}
#define CUEMU_MINMAX(T)                              \
  inline T min(T a, T b) { return float_min(a, b); } \
  inline T max(T a, T b) { return float_max(a, b); }
CUEMU_MINMAX(f32)
CUEMU_MINMAX(f64)
CUEMU_MINMAX(f16)
CUEMU_MINMAX(bf16)
#undef CUEMU_MINMAX

// ---- other roundings than to nearest: of f32 by way of f64, which is fast enough for expf, the rest by the processor
inline f32 round_f32(f64 x, Rounding r) {
  const f32 near = f32(x);
  const bool up = f64(near) > x, down = f64(near) < x;
  const bool to_lower = r == Rounding::Down || (r == Rounding::Zero && x > 0);
  const bool to_higher = r == Rounding::Up || (r == Rounding::Zero && x < 0);
  if (up && to_lower) return std::nextafter(near, -HUGE_VALF);
  if (down && to_higher) return std::nextafter(near, HUGE_VALF);
  return canonical(near);
}
inline f32 round_sum(f64 a, f64 b, Rounding r) {
  const f64 sum = sum_to_odd(a, b);
  const bool cancelled = sum == 0 && (a != 0 || std::signbit(a) != std::signbit(b));
  return cancelled && r == Rounding::Down ? -0.f : round_f32(sum, r);
}
inline f32 add(Rounding r, f32 a, f32 b) { return round_sum(a, b, r); }
inline f32 sub(Rounding r, f32 a, f32 b) { return round_sum(a, -b, r); }
inline f32 mul(Rounding r, f32 a, f32 b) { return round_f32(f64(a) * b, r); }
inline f32 fma(Rounding r, f32 a, f32 b, f32 c) { return round_sum(f64(a) * b, c, r); }

// The volatile copies keep the compiler from moving or folding the operation.
template <class T, class Operation>
[[gnu::noinline]] T directed(Rounding rounding, T a, T b, T c, Operation operation) {
  const RoundingMode mode(rounding);
  const volatile T x = a, y = b, z = c;
  const volatile T result = operation(x, y, z);
  return canonical(T(result));
}
inline f64 add(Rounding r, f64 a, f64 b) {
  return directed(r, a, b, 0., [](f64 x, f64 y, f64) { return x + y; });
}
inline f64 sub(Rounding r, f64 a, f64 b) {
  return directed(r, a, b, 0., [](f64 x, f64 y, f64) { return x - y; });
}
inline f64 mul(Rounding r, f64 a, f64 b) {
  return directed(r, a, b, 0., [](f64 x, f64 y, f64) { return x * y; });
}
inline f64 fma(Rounding r, f64 a, f64 b, f64 c) {
  return directed(r, a, b, c, [](f64 x, f64 y, f64 z) { return __builtin_fma(x, y, z); });
}
template <class T>
inline T div(Rounding r, T a, T b) {
  return directed(r, a, b, T(0), [](T x, T y, T) { return x / y; });
}
template <class T>
inline T rcp(Rounding r, T a) {
  return div(r, T(1), a);
}
template <class T>
inline T sqrt(Rounding r, T a) {
  return directed(r, a, T(0), T(0), [](T x, T, T) { return std::sqrt(x); });
}

template <class T>
inline bool is_subnormal(T x) {
  return std::fpclassify(x) == FP_SUBNORMAL;
}

// ---- approximations. With CUEMU_NOISE=1 they err by up to so many units in the last place, as they may on a GPU.
f32 noisy(f32 exact, int units);
inline f32 ex2_approx(f32 x) { return noisy(std::exp2(x), 2); }
inline f32 lg2_approx(f32 x) { return noisy(std::log2(x), 2); }
inline f32 rcp_approx(f32 x) { return noisy(1 / x, 1); }
inline f32 sqrt_approx(f32 x) { return noisy(std::sqrt(x), 1); }
inline f32 rsqrt_approx(f32 x) { return noisy(1 / std::sqrt(x), 2); }
inline f32 sin_approx(f32 x) { return noisy(std::sin(x), 8); }
inline f32 cos_approx(f32 x) { return noisy(std::cos(x), 8); }
inline f32 tanh_approx(f32 x) { return noisy(std::tanh(x), 4096); }
inline f32 div_full(f32 a, f32 b) { return noisy(a / b, 2); }
inline f32 div_approx(f32 a, f32 b) {
  const bool reciprocal_is_flushed = std::fabs(b) > 0x1p126f && std::isfinite(b);
  return reciprocal_is_flushed ? canonical(a * std::copysign(0.f, b)) : noisy(a / b, 2);
}
inline f64 rcp_approx(f64 x) { return 1 / x; }
inline f64 rsqrt_approx(f64 x) { return 1 / std::sqrt(x); }

}  // namespace cuemu::ptx
