// Shifts and bit fields. Shift distances are clamped, not taken modulo the width.
#pragma once
#include <algorithm>

#include "runtime/ptx/types.h"

namespace cuemu::ptx {

template <class T>
constexpr u32 kWidth = 8 * sizeof(T);

template <class T>
inline T shl(T a, u32 n) {
  return n >= kWidth<T> ? T(0) : T(Unsigned<T>(a) << n);
}
template <class T>
inline T shr(T a, u32 n) {
  if (n >= kWidth<T>) return std::is_signed_v<T> && a < 0 ? T(-1) : T(0);
  return T(a >> n);
}

// The funnel: 64 bits, shifted to the left for their high half, to the right for their low one.
enum class Funnel { Wrap, Clamp };
inline u32 funnel_distance(u32 n, Funnel mode) { return mode == Funnel::Clamp ? std::min(n, 32u) : n & 31; }
inline u32 shf_left(u32 low, u32 high, u32 n, Funnel mode) {
  return u32(((u64(high) << 32 | low) << funnel_distance(n, mode)) >> 32);
}
inline u32 shf_right(u32 low, u32 high, u32 n, Funnel mode) {
  return u32((u64(high) << 32 | low) >> funnel_distance(n, mode));
}

// `table` says which of the eight combinations of bits give 1; bit 7 is that of a = b = c = 1.
inline u32 lop3(u32 a, u32 b, u32 c, u32 table) {
  u32 r = 0;
  for (u32 i = 0; i < 8; ++i)
    if (table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return r;
}

// Four bytes of the eight of b and a; bit 3 of a selector spreads the byte's sign instead.
inline u32 prmt(u32 a, u32 b, u32 selectors) {
  const u64 bytes = u64(b) << 32 | a;
  u32 r = 0;
  for (u32 i = 0; i < 4; ++i) {
    const u32 selector = selectors >> 4 * i;
    u32 byte = u32(bytes >> 8 * (selector & 7)) & 0xff;
    if (selector & 8) byte = byte & 0x80 ? 0xff : 0;
    r |= byte << 8 * i;
  }
  return r;
}

template <class U>
inline U low_bits(u32 n) {
  return n >= kWidth<U> ? U(-1) : U((U(1) << n) - 1);
}

// Positions and lengths count modulo 256. A field that reaches past the end is filled up with zeros or the sign: that
// of its own highest bit, or of the highest bit there is.
template <class T>
inline T bfe(T a, u32 position, u32 length) {
  position &= 255;
  length &= 255;
  if (!length) return 0;
  const auto field = Unsigned<T>(shr(a, position)) & low_bits<Unsigned<T>>(length);
  if (!std::is_signed_v<T>) return T(field);
  const u32 top = std::min(position + length - 1, kWidth<T> - 1);
  const bool negative = Unsigned<T>(a) >> top & 1;
  return T(negative ? field | Unsigned<T>(~low_bits<Unsigned<T>>(length)) : field);
}
template <class T>
inline T bfi(T field, T into, u32 position, u32 length) {
  position &= 255;
  length &= 255;
  const T mask = shl(low_bits<T>(length), position);
  return T((into & ~mask) | (shl(field, position) & mask));
}

template <class T>
inline u32 popc(T a) {
  return u32(__builtin_popcountll(a));
}
template <class T>
inline u32 clz(T a) {
  return a ? u32(__builtin_clzll(a)) - (64 - kWidth<T>) : kWidth<T>;
}
template <class T>
inline T brev(T a) {
  T r = 0;
  for (u32 i = 0; i < kWidth<T>; ++i) r |= T((a >> i & 1) << (kWidth<T> - 1 - i));
  return r;
}

// The highest bit that is set or, for signed types, that differs from the sign; all ones if there is none.
template <class T>
inline u32 bfind(T a) {
  const auto bits = Unsigned<T>(std::is_signed_v<T> && a < 0 ? ~a : a);
  return bits ? kWidth<T> - 1 - clz(bits) : ~0u;
}
template <class T>
inline u32 bfind_shift(T a) {  // how far to shift it to the top
  const u32 found = bfind(a);
  return found == ~0u ? found : kWidth<T> - 1 - found;
}

inline u32 bmsk(u32 position, u32 length, Funnel mode) {
  const u32 p = funnel_distance(position, mode), n = funnel_distance(length, mode);
  return u32(((u64(1) << n) - 1) << p);
}

}  // namespace cuemu::ptx
