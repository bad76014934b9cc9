// The elements of tables and of the arrays that meet them: how each dtype is read as a double, and how a double is
// rounded to it (once, to nearest, ties to even). Not for files compiled for a wider instruction set: dtype.h says why.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/dtype.h"

namespace sampled_softmax {

// Rounds to odd: where the float is not exact, its last bit is set. Rounding the result to a 16-bit type is then
// the same as rounding the double to it at once, since the float has more than two bits to spare.
SAMPLED_SOFTMAX_ANYWHERE inline float double_to_float_odd(double value) {
  const float nearest = static_cast<float>(value);
  const double back = nearest;
  uint32_t bits = float_to_bits(nearest);
  const bool inexact = back != value && value == value;
  const bool away = inexact && std::fabs(back) > std::fabs(value);
  bits -= away ? 1 : 0;
  bits |= inexact ? 1 : 0;
  return bits_to_float(bits);
}

template <DType dtype>
struct Element;

template <>
struct Element<DType::float32> {
  using Type = float;
  SAMPLED_SOFTMAX_ANYWHERE static double load(float value) { return value; }
  SAMPLED_SOFTMAX_ANYWHERE static float store(double value) { return static_cast<float>(value); }
};

template <>
struct Element<DType::float64> {
  using Type = double;
  SAMPLED_SOFTMAX_ANYWHERE static double load(double value) { return value; }
  SAMPLED_SOFTMAX_ANYWHERE static double store(double value) { return value; }
};

template <>
struct Element<DType::float16> {
  using Type = uint16_t;
  SAMPLED_SOFTMAX_ANYWHERE static double load(uint16_t value) { return float16_to_float(value); }
  SAMPLED_SOFTMAX_ANYWHERE static uint16_t store(double value) { return float_to_float16(double_to_float_odd(value)); }
};

template <>
struct Element<DType::bfloat16> {
  using Type = uint16_t;
  SAMPLED_SOFTMAX_ANYWHERE static double load(uint16_t value) { return bfloat16_to_float(value); }
  SAMPLED_SOFTMAX_ANYWHERE static uint16_t store(double value) { return float_to_bfloat16(double_to_float_odd(value)); }
};

// fn(Element<dtype>()): a function written once for every dtype.
template <class F>
inline void with_element(DType dtype, F&& fn) {
  switch (dtype) {
    case DType::float32: return fn(Element<DType::float32>());
    case DType::float64: return fn(Element<DType::float64>());
    case DType::float16: return fn(Element<DType::float16>());
    case DType::bfloat16: return fn(Element<DType::bfloat16>());
  }
}

}  // namespace sampled_softmax
