// Element types of arrays that cross the boundary, and the bit conversions of the two 16-bit ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/anywhere.h"

namespace sampled_softmax {

enum class DType : int32_t { float32 = 0, float64 = 1, float16 = 2, bfloat16 = 3 };

SAMPLED_SOFTMAX_ANYWHERE constexpr size_t size_of(DType t) {
  return t == DType::float64 ? 8 : t == DType::float32 ? 4 : 2;
}

// All helpers here are `static inline`, never plain inline or templates with external linkage: files compiled
// for wider instruction sets include this header, and a weak symbol from one of them could replace the baseline's.
SAMPLED_SOFTMAX_ANYWHERE static inline float bits_to_float(uint32_t u) {
  float f;
  std::memcpy(&f, &u, sizeof f);
  return f;
}
SAMPLED_SOFTMAX_ANYWHERE static inline uint32_t float_to_bits(float f) {
  uint32_t u;
  std::memcpy(&u, &f, sizeof u);
  return u;
}

SAMPLED_SOFTMAX_ANYWHERE static inline float bfloat16_to_float(uint16_t h) {
  return bits_to_float(static_cast<uint32_t>(h) << 16);
}

// Round to nearest, ties to even; a NaN stays a (quiet) NaN.
SAMPLED_SOFTMAX_ANYWHERE static inline uint16_t float_to_bfloat16(float f) {
  uint32_t u = float_to_bits(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);
  return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

SAMPLED_SOFTMAX_ANYWHERE static inline float float16_to_float(uint16_t h) {
  uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) return bits_to_float(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
  if (magnitude >= 0x0400u) return bits_to_float(sign | ((magnitude << 13) + 0x38000000u));
  // Subnormal: magnitude * 2^-24, exact in float32.
  return bits_to_float(sign | float_to_bits(static_cast<float>(magnitude) * 5.9604644775390625e-8f));
}

// Round to nearest, ties to even; overflow goes to infinity, a NaN stays a (quiet) NaN.
SAMPLED_SOFTMAX_ANYWHERE static inline uint16_t float_to_float16(float f) {
  uint32_t u = float_to_bits(f), sign = (u >> 16) & 0x8000u, magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x47800000u)
    return static_cast<uint16_t>(sign | 0x7c00u);  // 65536 and beyond; 65520..65535 carry below
  if (magnitude >= 0x38800000u) {                  // normal in float16
    uint32_t rebased = magnitude - 0x38000000u;
    return static_cast<uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
  }
  // Subnormal: adding 2^-1 aligns the wanted bits at the end of the mantissa, and the addition rounds to nearest even.
  return static_cast<uint16_t>(sign | (float_to_bits(bits_to_float(magnitude) + 0.5f) - 0x3f000000u));
}

}  // namespace sampled_softmax
