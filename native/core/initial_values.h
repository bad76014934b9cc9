// The elements of new tables, one by one: pure functions of (seed, place), the same bits on every machine and device.
// Only integer arithmetic and + - * / sqrt are used, which IEEE 754 defines to the bit: no libm, and whoever includes
// this is built without fused products.
//
// Not for files compiled for a wider instruction set: dtype.h says why.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/anywhere.h"
#include "core/random/philox.h"

namespace sampled_softmax {

enum class Distribution : int32_t {
  zeros = 0,
  uniform = 1,           // between first and second
  normal = 2,            // mean first, standard deviation second
  truncated_normal = 3,  // as normal, without what lies more than two standard deviations from the mean
  glorot_uniform = 4,    // uniform between -l and l, l = sqrt(6 / (rows + dim))
};

struct Initializer {
  Distribution distribution = Distribution::zeros;
  double first = 0, second = 0;
  uint64_t seed = 0;
};

// Upper half of the counter: a table and a sampler with one seed draw from different parts of the generator.
constexpr uint64_t kTableStream = 0x7461626c65ull;  // "table"

// Uniform in (-1/2, 1/2), symmetric, never 0; exact: 52 random bits and a half.
SAMPLED_SOFTMAX_ANYWHERE static inline double centred(uint32_t low, uint32_t high) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52 - 0.5;
}

// The natural logarithm of a normal number: x = m 2^e with m in [sqrt(1/2), sqrt(2)], and
// log m = 2 artanh((m - 1) / (m + 1)).
SAMPLED_SOFTMAX_ANYWHERE static inline double logarithm(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1), square = s * s;  // square < 0.0295: the first term left out is below 2e-19
  double sum = 0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * square;
  const double artanh = s + s * sum;
  // ln 2 in two parts, the first of few enough bits that its product with the exponent is exact.
  return exponent * 0x1.62e42fefap-1 + (exponent * 0x1.cf79abc9e3b39p-40 + 2 * artanh);
}

// a0 + a1 x + ... + a7 x^7, by Horner.
SAMPLED_SOFTMAX_ANYWHERE static inline double polynomial(double x, double a0, double a1, double a2, double a3,
                                                         double a4, double a5, double a6, double a7) {
  return ((((((a7 * x + a6) * x + a5) * x + a4) * x + a3) * x + a2) * x + a1) * x + a0;
}

// The rational approximations of algorithm AS 241 (M. J. Wichura, Applied Statistics 37, 1988): near the middle, and in
// the two parts of the tail.
SAMPLED_SOFTMAX_ANYWHERE static inline double quantile_middle(double x) {
  return polynomial(x, 3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                    1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4,
                    2.5090809287301226727e3) /
         polynomial(x, 1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
                    2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3);
}
SAMPLED_SOFTMAX_ANYWHERE static inline double quantile_tail(double x) {
  return polynomial(x, 1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                    3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                    2.27238449892691845833e-2, 7.74545014278341407640e-4) /
         polynomial(x, 1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                    1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                    1.05075007164441684324e-9);
}
SAMPLED_SOFTMAX_ANYWHERE static inline double quantile_far_tail(double x) {
  return polynomial(x, 6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                    2.71155556874348757815e-5, 2.01033439929228813265e-7) /
         polynomial(x, 1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                    2.04426310338993978564e-15);
}

// As normal_quantile (core/initializers.h).
SAMPLED_SOFTMAX_ANYWHERE static inline double quantile_of(double q) {
  if (q >= -0.425 && q <= 0.425) return q * quantile_middle(0.180625 - q * q);
  const double tail = 0.5 - (q < 0 ? -q : q);
  const double r = std::sqrt(-logarithm(tail));
  const double z = r <= 5 ? quantile_tail(r - 1.6) : quantile_far_tail(r - 5);
  return q < 0 ? -z : z;
}

// How a centred uniform number becomes an element.
struct UniformValue {
  double least, greatest;
  SAMPLED_SOFTMAX_ANYWHERE double operator()(double centred) const {
    const double value = 0.5 * least + 0.5 * greatest + (greatest - least) * centred;
    return value < least ? least : value > greatest ? greatest : value;  // rounding may lead out of the range
  }
};

struct NormalValue {
  double mean, deviation;
  SAMPLED_SOFTMAX_ANYWHERE double operator()(double centred) const { return mean + deviation * quantile_of(centred); }
};

struct TruncatedNormalValue {
  double mean, deviation;
  SAMPLED_SOFTMAX_ANYWHERE double operator()(double centred) const {
    const double within = 0.95449973610364158560;  // probability of lying within two standard deviations
    const double z = quantile_of(centred * within);
    return mean + deviation * (z > 2 ? 2 : z < -2 ? -2 : z);
  }
};

// fn(value): what makes an element of a table of [rows, dim], for any distribution but zeros.
template <class F>
inline void with_initial_value(const Initializer& initializer, int64_t rows, int64_t dim, F&& fn) {
  const double first = initializer.first, second = initializer.second;
  switch (initializer.distribution) {
    case Distribution::zeros: return;
    case Distribution::uniform: return fn(UniformValue{first, second});
    case Distribution::normal: return fn(NormalValue{first, second});
    case Distribution::truncated_normal: return fn(TruncatedNormalValue{first, second});
    case Distribution::glorot_uniform: {
      const double limit = std::sqrt(6 / (static_cast<double>(rows) + static_cast<double>(dim)));
      return fn(UniformValue{-limit, limit});
    }
  }
}

}  // namespace sampled_softmax
