// exp and log by series, in double: plain arithmetic without branches or calls, so that loops over them
// become vector code on any instruction set. Errors are far below what a float32 result can show; who needs
// more asks libm.
#pragma once

#include <cstdint>
#include <cstring>

namespace sampled_softmax {

static inline uint64_t double_bits(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// Relative error of series_exp: the first term left out of the Taylor series is (ln 2 / 2)^10 / 10! = 7e-12,
// over a smallest result of 1 / sqrt(2). Those of the other two series stay below 3e-11.
constexpr double kSeriesExpError = 1.2e-11;

struct ScaledExpm1 {
  double scale;  // 2^k
  double expm1;  // of the rest r, |r| <= ln 2 / 2: e^x = scale * (1 + expm1)
};

// |x| <= 700.
static inline ScaledExpm1 reduce_exp(double x) {
  // Adding and subtracting 1.5 * 2^52 rounds to an integer, which then stands in the lowest bits.
  constexpr double kRounder = 6755399441055744.0;
  const double shifted = x * 1.44269504088896340736 + kRounder;
  const double k = shifted - kRounder;
  const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double p = 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r * r + r;
  const uint64_t bits = (double_bits(shifted) << 52) + 0x3ff0000000000000u;
  double scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return {scale, p};
}

static inline double series_exp(double x) {
  const ScaledExpm1 e = reduce_exp(x);
  return e.scale + e.scale * e.expm1;
}

// 1 - e^x for x in [-700, 0], accurate near 0 too.
static inline double series_one_minus_exp(double x) {
  const ScaledExpm1 e = reduce_exp(x);
  return (1.0 - e.scale) - e.scale * e.expm1;
}

// ln((1 + s) / (1 - s)) for s in [0, 1/3]; the first term left out is s^20 / 21 of the whole.
static inline double series_log_ratio(double s) {
  const double z = s * s;
  double p = 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  return 2.0 * (s + s * z * p);
}

}  // namespace sampled_softmax
