// PTX's types. A register holds bits; as<T> reads them as a T, raw makes bits of a value.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace cuemu::ptx {

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
  u16 bits;
};
struct bf16 {
  u16 bits;
};

template <class T>
using Unsigned = std::make_unsigned_t<T>;

// From a register that is as wide as T or wider: then its low bits count.
template <class T, class Bits>
inline T as(Bits bits) {
  static_assert(std::is_integral_v<Bits>);
  if constexpr (std::is_integral_v<T>) {
    return T(bits);
  } else {
    static_assert(sizeof(T) <= sizeof(Bits));
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
}

template <class T>
inline auto raw(T value) {
  using Bits = std::conditional_t<sizeof(T) <= 2, u16, std::conditional_t<sizeof(T) == 4, u32, u64>>;
  if constexpr (std::is_integral_v<T>) {
    return Bits(value);
  } else {
    Bits bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
  }
}

enum class Rounding { Nearest, Zero, Down, Up, NearestAway };  // to nearest: ties to even, or away from zero

}  // namespace cuemu::ptx
