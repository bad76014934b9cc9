// Conversions between numbers of any kind, with every rounding.
#pragma once
#include <algorithm>
#include <cfenv>
#include <cmath>

#include "runtime/ptx/types.h"

namespace cuemu::ptx {

// ---- NaN. Single and half precision give one NaN, whatever came in; x86 would give its own, with the sign set.
inline bool is_nan(f32 x) { return x != x; }
inline bool is_nan(f64 x) { return x != x; }
inline bool is_nan(f16 x) { return (x.bits & 0x7fff) > 0x7c00; }
inline bool is_nan(bf16 x) { return (x.bits & 0x7fff) > 0x7f80; }
inline f32 canonical(f32 x) { return x == x ? x : as<f32>(0x7fffffffu); }
inline f64 canonical(f64 x) { return x; }
inline f16 canonical(f16 x) { return is_nan(x) ? f16{0x7fff} : x; }
inline bf16 canonical(bf16 x) { return is_nan(x) ? bf16{0x7fff} : x; }

// ---- to wider types, exact
inline f32 widen(f16 x) { return f32(as<_Float16>(x.bits)); }
inline f32 widen(bf16 x) { return as<f32>(u32(x.bits) << 16); }
inline f32 widen(f32 x) { return x; }
inline f64 widen(f64 x) { return x; }

class RoundingMode {
 public:
  explicit RoundingMode(Rounding r) : before_(std::fegetround()) {
    constexpr int kModes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    std::fesetround(kModes[int(r)]);
  }
  ~RoundingMode() { std::fesetround(before_); }

 private:
  int before_;
};

template <class F>
inline F round_to_integer(F x, Rounding r) {
  switch (r) {
    case Rounding::Nearest: return std::nearbyint(x);
    case Rounding::Zero: return std::trunc(x);
    case Rounding::Down: return std::floor(x);
    case Rounding::Up: return std::ceil(x);
    case Rounding::NearestAway: return std::round(x);
  }
  return x;
}

// ---- to a narrower format, in software: any source is exact as a long double
struct tf32 {
  u32 bits;
};
template <class T>
struct Format;
template <>
struct Format<f64> {
  static constexpr int precision = 53, least_exponent = -1022, most_exponent = 1023;
};
template <>
struct Format<f32> {
  static constexpr int precision = 24, least_exponent = -126, most_exponent = 127;
};
template <>
struct Format<f16> {
  static constexpr int precision = 11, least_exponent = -14, most_exponent = 15;
};
template <>
struct Format<bf16> {
  static constexpr int precision = 8, least_exponent = -126, most_exponent = 127;
};
template <>
struct Format<tf32> {
  static constexpr int precision = 11, least_exponent = -126, most_exponent = 127;
};

template <class T>
inline T pack(f64 x) {  // x is a number of the format, or infinite
  if constexpr (std::is_floating_point_v<T>) return T(x);
  if constexpr (std::is_same_v<T, f16>) return {raw(_Float16(x))};
  if constexpr (std::is_same_v<T, bf16>) return {u16(raw(f32(x)) >> 16)};
  if constexpr (std::is_same_v<T, tf32>) return {raw(f32(x))};
}
template <class T>
inline T not_a_number() {
  if constexpr (std::is_same_v<T, tf32>) return {0x7fffffff};
  if constexpr (std::is_same_v<T, f64>) return as<f64>(u64(0xfff8000000000000));
  if constexpr (std::is_same_v<T, f32>) return as<f32>(0x7fffffffu);
  if constexpr (sizeof(T) == 2) return {0x7fff};
}

template <class T>
inline T from_exact(long double x, Rounding r = Rounding::Nearest) {
  using F = Format<T>;
  if (std::isnan(x)) return not_a_number<T>();
  if (x == 0 || std::isinf(x)) return pack<T>(f64(x));
  const int unit = std::max(std::ilogb(x), F::least_exponent) - (F::precision - 1);
  const long double rounded = std::ldexp(round_to_integer(std::ldexp(x, -unit), r), unit);
  const long double most = std::ldexp(2 - std::ldexp(1.0L, 1 - F::precision), F::most_exponent);
  if (std::fabs(rounded) <= most) return pack<T>(f64(rounded));
  const bool to_nearest = r == Rounding::Nearest || r == Rounding::NearestAway;
  const bool outward = x > 0 ? r == Rounding::Up : r == Rounding::Down;
  return pack<T>(f64(std::copysign(to_nearest || outward ? HUGE_VALL : most, x)));
}

// The same to nearest, for the conversions that kernels do all the time.
template <class H>
inline H narrow(f32 x);
template <>
inline f16 narrow<f16>(f32 x) {
  return canonical(f16{raw(_Float16(x))});
}
template <>
inline bf16 narrow<bf16>(f32 x) {
  const u32 bits = raw(x);
  return is_nan(x) ? bf16{0x7fff} : bf16{u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

inline u32 to_tf32_away(f32 x) {  // to nearest, ties away from zero
  if (is_nan(x)) return 0x7fffffff;
  return std::isinf(x) ? raw(x) : (raw(x) + 0x1000) & 0xffffe000;
}

// A sum that may be rounded once more to a shorter format as if it were exact: if it is not, its last bit is set.
inline f64 sum_to_odd(f64 a, f64 b) {
  const f64 sum = a + b, b_part = sum - a;
  const f64 error = (a - (sum - b_part)) + (b - b_part);
  if (!(std::fabs(error) > 0) || std::isinf(sum) || raw(sum) & 1) return sum;
  return as<f64>(raw(sum) + (std::signbit(error) == std::signbit(sum) ? 1 : u64(-1)));
}

// ---- to integers: out of range goes to the nearest end, NaN to 0 or, where 64 bits take part, to the highest bit
// alone
template <class To, class From>
inline To to_integer(From from, Rounding r) {
  using Ends = std::numeric_limits<To>;
  const f64 x = round_to_integer(f64(widen(from)), r);
  if (std::isnan(x)) return sizeof(To) == 8 || sizeof(From) == 8 ? To(Unsigned<To>(1) << (8 * sizeof(To) - 1)) : To(0);
  if (x <= f64(Ends::min())) return Ends::min();
  if (x >= f64(Ends::max())) return Ends::max();
  return To(x);
}

template <class To, class From>
inline To saturate_integer(From x) {
  using Ends = std::numeric_limits<To>;
  if (std::is_signed_v<From> && x < 0) return std::is_signed_v<To> && s64(x) >= s64(Ends::min()) ? To(x) : Ends::min();
  return u64(x) > u64(Ends::max()) ? Ends::max() : To(x);
}

}  // namespace cuemu::ptx
