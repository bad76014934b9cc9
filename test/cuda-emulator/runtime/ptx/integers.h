// Integer arithmetic: it wraps, and nothing is undefined.
#pragma once
#include "runtime/ptx/types.h"

namespace cuemu::ptx {

template <class T>
using Twice =
    std::conditional_t<sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, s32, u32>,
                       std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, s64, u64>,
                                          std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T add(T a, T b) {
  return T(Unsigned<T>(a) + Unsigned<T>(b));
}
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T sub(T a, T b) {
  return T(Unsigned<T>(a) - Unsigned<T>(b));
}
inline s32 clamp_s32(s64 x) {
  constexpr s64 kLeast = std::numeric_limits<s32>::min(), kMost = std::numeric_limits<s32>::max();
  return s32(x < kLeast ? kLeast : x > kMost ? kMost : x);
}
inline s32 add_saturated(s32 a, s32 b) { return clamp_s32(s64(a) + b); }
inline s32 sub_saturated(s32 a, s32 b) { return clamp_s32(s64(a) - b); }

template <class T>
inline T mul_low(T a, T b) {
  return T(u64(a) * u64(b));
}
template <class T>
inline T mul_high(T a, T b) {
  return T((Twice<T>(a) * Twice<T>(b)) >> (8 * sizeof(T)));
}
template <class T>
inline Twice<T> mul_wide(T a, T b) {
  return Twice<T>(Twice<T>(a) * Twice<T>(b));  // s16 x s16 fits an int, u16 x u16 an unsigned
}

// a + b and a - b with a carry that comes in and goes out: addc, subc and, after the multiplication, madc.
template <class T>
inline T add_carry(T a, T b, bool in, bool& out) {
  T sum;
  const bool first = __builtin_add_overflow(a, b, &sum), second = __builtin_add_overflow(sum, T(in), &sum);
  out = first || second;
  return sum;
}
template <class T>
inline T sub_borrow(T a, T b, bool in, bool& out) {
  T difference;
  const bool first = __builtin_sub_overflow(a, b, &difference),
             second = __builtin_sub_overflow(difference, T(in), &difference);
  out = first || second;
  return difference;
}

// PTX leaves the quotient and the remainder by zero open; GPUs give all ones, and the dividend.
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T div(T a, T b) {
  if (b == 0) return T(-1);
  if (std::is_signed_v<T> && b == T(-1)) return T(0 - Unsigned<T>(a));
  return T(a / b);
}
template <class T>
inline T rem(T a, T b) {
  if (b == 0) return a;
  if (std::is_signed_v<T> && b == T(-1)) return 0;
  return T(a % b);
}

template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T min(T a, T b) {
  return a < b ? a : b;
}
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T max(T a, T b) {
  return a > b ? a : b;
}
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T neg(T a) {
  return T(0 - Unsigned<T>(a));
}
template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
inline T abs(T a) {
  return a < 0 ? neg(a) : a;
}
template <class T>
inline T sad(T a, T b, T c) {
  return add(c, a < b ? sub(b, a) : sub(a, b));
}

}  // namespace cuemu::ptx
