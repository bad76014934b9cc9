// ptx_ops.h - the vocabulary of the C++ that ptx2cpp.py writes: PTX scalar semantics on raw register bits.
#pragma once
#include <algorithm>
#include <cfenv>
#include <cmath>
#include <cstdio>
#include <limits>
#include "runtime/core.h"
namespace ptx {
using namespace cuemu;
using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;
using f32 = float;
using f64 = double;
struct f16 {
  u16 h;
};
struct bf16 {
  u16 h;
};
inline f32 wide(f16 a) { return f16f(a.h); }
inline f32 wide(bf16 a) { return bf16f(a.h); }
inline f32 wide(f32 a) { return a; }
inline f64 wide(f64 a) { return a; }
template <class T>
T narrow(f64 x) {
  if constexpr (std::is_same_v<T, f16>) return {ff16(f32(x))};
  else if constexpr (std::is_same_v<T, bf16>) return {fbf16(f32(x))};
  else return T(x);
}
// a register holds bits; R<T> reads them as T, and W makes bits of a value
template <class T, class B>
inline T R(B b) {
  if constexpr (sizeof(T) == sizeof(B)) return bits<T>(b);
  else if constexpr (std::is_integral_v<T>) return T(b);
  else {
    u64 w = b;
    T t;
    memcpy(&t, &w, sizeof t);
    return t;
  }
}
template <class T>
inline auto W(T v) {
  if constexpr (sizeof(T) == 1) return u16(v);
  else if constexpr (sizeof(T) == 2) return bits<u16>(v);
  else if constexpr (sizeof(T) == 4) return bits<u32>(v);
  else return bits<u64>(v);
}
#ifndef CUEMU_CHECK
#define CUEMU_CHECK 0
#endif
template <class T>
inline T* at(u64 a, Kind k) {
  return (T*)(k == SharedSpace ? (char*)a : storage(a));
}
inline u64 s_addr(u64 off) { return (u64)shared_base() + u32(off); }
template <class T>
inline T ld(u32 site, u64 a, Kind k) {
  if constexpr (CUEMU_CHECK) touch(site, a, sizeof(T), Read, k);
  T v;
  memcpy(&v, at<void>(a, k), sizeof v);
  return v;
}
template <class T>
inline void st(u32 site, u64 a, Kind k, T v) {
  if constexpr (CUEMU_CHECK) touch(site, a, sizeof(T), Write, k);
  memcpy(at<void>(a, k), &v, sizeof v);
}
template <class T, int N>
struct Vec {
  T v[N];
};
template <class T, int N>
inline Vec<T, N> ldv(u32 site, u64 a, Kind k) {
  return ld<Vec<T, N>>(site, a, k);
}
template <class T, class F>
inline T atom(u32 site, u64 a, Kind k, F f) {
  if constexpr (CUEMU_CHECK) touch(site, a, sizeof(T), Atomic, k);
  void* p = at<void>(a, k);
  T o;
  memcpy(&o, p, sizeof o);
  T n = f(o);
  memcpy(p, &n, sizeof n);
  return o;
}
inline void cpa(u32 site, u64 d, u64 s, u32 n, u32 ns = ~0u) {
  if constexpr (CUEMU_CHECK) {
    if (ns) touch(site, s, n, Read, GlobalSpace);
    touch(site + 1, d, n, Write, SharedSpace);
  }
  cp_async((void*)d, (const void*)s, n, ns, CUEMU_CHECK ? site + 1 : 0);
}
inline void ldm(u32 site, u32* r, int n, u64 a, bool tr) {
  if constexpr (CUEMU_CHECK)
    if (self->lane < unsigned(n) * 8) touch(site, a, 16, Read, SharedSpace);
  ldmatrix(r, n, (const void*)a, tr);
}
// ---- arithmetic
template <class T>
T add(T a, T b) {
  return a + b;
}
template <class T>
T sub(T a, T b) {
  return a - b;
}
template <class T>
T mul(T a, T b) {
  return a * b;
}
template <>
inline f16 add(f16 a, f16 b) {
  return narrow<f16>(wide(a) + wide(b));
}
template <>
inline bf16 add(bf16 a, bf16 b) {
  return narrow<bf16>(wide(a) + wide(b));
}
template <>
inline f16 sub(f16 a, f16 b) {
  return narrow<f16>(wide(a) - wide(b));
}
template <>
inline bf16 sub(bf16 a, bf16 b) {
  return narrow<bf16>(wide(a) - wide(b));
}
template <>
inline f16 mul(f16 a, f16 b) {
  return narrow<f16>(wide(a) * wide(b));
}
template <>
inline bf16 mul(bf16 a, bf16 b) {
  return narrow<bf16>(wide(a) * wide(b));
}
inline f32 fma_(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
inline f64 fma_(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
template <class H>
inline H fma_(H a, H b, H c) {
  return narrow<H>(fma(f64(wide(a)), f64(wide(b)), f64(wide(c))));
}
template <class T>
T mn(T a, T b) {
  if constexpr (std::is_integral_v<T>) return a < b ? a : b;
  else if constexpr (sizeof(T) == 2) return narrow<T>(mn(wide(a), wide(b)));
  else return std::isnan(a) ? b : std::isnan(b) ? a : (a < b || (a == b && std::signbit(a))) ? a : b;
}
template <class T>
T mx(T a, T b) {
  if constexpr (std::is_integral_v<T>) return a > b ? a : b;
  else if constexpr (sizeof(T) == 2) return narrow<T>(mx(wide(a), wide(b)));
  else return std::isnan(a) ? b : std::isnan(b) ? a : (a > b || (a == b && !std::signbit(a))) ? a : b;
}
template <class T>
T mulhi(T a, T b) {
  if constexpr (sizeof(T) == 2) return T((std::conditional_t<std::is_signed_v<T>, s32, u32>(a) * b) >> 16);
  else if constexpr (sizeof(T) == 4) return T((std::conditional_t<std::is_signed_v<T>, s64, u64>(a) * b) >> 32);
  else return T((std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>(a) * b) >> 64);
}
template <class T>
T idiv(T a, T b) {
  return b == 0 ? T(-1) : (std::is_signed_v<T> && b == T(-1)) ? T(0 - std::make_unsigned_t<T>(a)) : T(a / b);
}
template <class T>
T irem(T a, T b) {
  return b == 0 ? a : (std::is_signed_v<T> && b == T(-1)) ? T(0) : T(a % b);
}
template <class T>
T shl(T a, u32 n) {
  return n >= sizeof(T) * 8 ? T(0) : T(a << n);
}
template <class T>
T shr(T a, u32 n) {
  constexpr u32 b = sizeof(T) * 8;
  return n >= b ? (std::is_signed_v<T> ? T(a >> (b - 1)) : T(0)) : T(a >> n);
}
template <class T>
T neg(T a) {
  if constexpr (std::is_integral_v<T>) return T(0 - std::make_unsigned_t<T>(a));
  else if constexpr (sizeof(T) == 2) return T{u16(a.h ^ 0x8000)};
  else return -a;
}
template <class T>
T abs_(T a) {
  if constexpr (std::is_integral_v<T>) return a < 0 ? neg(a) : a;
  else if constexpr (sizeof(T) == 2) return T{u16(a.h & 0x7fff)};
  else return std::fabs(a);
}
inline u32 lop3(u32 a, u32 b, u32 c, u32 t) {
  u32 r = 0;
  for (int i = 0; i < 8; ++i)
    if (t >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  return r;
}
inline u32 prmt(u32 a, u32 b, u32 c) {
  u64 v = u64(b) << 32 | a;
  u32 r = 0;
  for (int i = 0; i < 4; ++i) {
    u32 s = c >> (4 * i) & 15;
    u8 x = u8(v >> (8 * (s & 7)));
    if (s & 8) x = x & 0x80 ? 0xff : 0;
    r |= u32(x) << (8 * i);
  }
  return r;
}
template <class T>
T bfe(T a, u32 p, u32 l) {
  p &= 255;
  l &= 255;
  constexpr u32 B = sizeof(T) * 8;
  using U = std::make_unsigned_t<T>;
  if (!l) return 0;
  U u = p >= B ? U(std::is_signed_v<T> && a < 0 ? -1 : 0) : U(std::is_signed_v<T> ? U(a >> p) : U(a) >> p);
  if (l < B) {
    u &= (U(1) << l) - 1;
    if (std::is_signed_v<T>) {
      u32 top = std::min(p + l - 1, B - 1);
      if (U(a) >> top & 1) u |= ~((U(1) << l) - 1);
    }
  }
  return T(u);
}
template <class T>
T bfi(T a, T b, u32 p, u32 l) {
  p &= 255;
  l &= 255;
  constexpr u32 B = sizeof(T) * 8;
  if (!l || p >= B) return b;
  T m = (l >= B ? ~T(0) : (T(1) << l) - 1) << p;
  return (b & ~m) | ((a << p) & m);
}
inline u32 shf(bool left, bool clamp, u32 a, u32 b, u32 n) {
  n = clamp ? std::min(n, 32u) : n & 31;
  u64 v = u64(b) << 32 | a;
  return left ? u32((v << n) >> 32) : u32(v >> n);
}
inline u32 brev(u32 a) {
  u32 r = 0;
  for (int i = 0; i < 32; ++i) r |= (a >> i & 1) << (31 - i);
  return r;
}
inline u32 bmsk(u32 a, u32 b, bool clamp) {
  if (clamp) {
    a = std::min(a, 32u);
    b = std::min(b, 32u);
  } else {
    a &= 31;
    b &= 31;
  }
  u64 m = ((u64(1) << b) - 1) << a;
  return u32(m);
}
inline u32 bfind(u64 a, int w, bool shiftamt) {
  return !a ? ~0u : shiftamt ? __builtin_clzll(a) - (64 - w) : 63 - __builtin_clzll(a);
}
template <class T, class F>
[[gnu::noinline]] T directed(int mode, T a, T b, T c, F f) {
  static const int m[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  volatile T x = a, y = b, z = c;
  std::fesetround(m[mode]);
  volatile T r = f(x, y, z);
  std::fesetround(FE_TONEAREST);
  return r;
}
inline u32 clz_(u64 a, int w) { return a ? __builtin_clzll(a) - (64 - w) : w; }
template <class D, class S>
D f2i(S x0, int mode, bool) {
  auto x = wide(x0);
  f64 v = x;
  v = mode == 0 ? std::nearbyint(v) : mode == 1 ? std::trunc(v) : mode == 2 ? std::floor(v) : std::ceil(v);
  if (std::isnan(v)) return 0;
  if (v <= f64(std::numeric_limits<D>::min())) return std::numeric_limits<D>::min();
  if (v >= f64(std::numeric_limits<D>::max())) return std::numeric_limits<D>::max();
  return D(v);
}
template <class T>
T rint_mode(T v, int mode) {
  return mode == 0 ? std::nearbyint(v) : mode == 1 ? std::trunc(v) : mode == 2 ? std::floor(v) : std::ceil(v);
}
template <class D, class S>
D sat_i(S v) {
  return v < S(std::numeric_limits<D>::min()) && std::is_signed_v<S> ? std::numeric_limits<D>::min()
         : v > S(std::numeric_limits<D>::max())                      ? std::numeric_limits<D>::max()
                                                                     : D(v);
}
template <class T>
T sat_f(T v) {
  return v > 0 ? (v < 1 ? v : T(1)) : T(0);
}
template <class T>
bool cmp_unord(T a, T b) {
  if constexpr (std::is_integral_v<T>) return false;
  else return std::isnan(a) || std::isnan(b);
}
}  // namespace ptx
