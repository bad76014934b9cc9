#include "core/initializers.h"

#include <cfloat>
#include <cmath>
#include <cstring>

#include "core/elements.h"
#include "core/random/philox.h"

#if FLT_EVAL_METHOD != 0
#error "initial values need double arithmetic without excess precision"
#endif

namespace sampled_softmax {
namespace {

// Upper half of the counter: a table and a sampler with one seed draw from different parts of the generator.
constexpr uint64_t kStream = 0x7461626c65ull;  // "table"
constexpr int64_t kBlock = 1 << 14;            // elements; even, since a Philox block makes two

// Uniform in (-1/2, 1/2), symmetric, never 0; exact: 52 random bits and a half.
double centred(uint32_t low, uint32_t high) {
  const uint64_t bits = (static_cast<uint64_t>(high) << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52 - 0.5;
}

// The natural logarithm of a normal number: x = m 2^e with m in [sqrt(1/2), sqrt(2)], and
// log m = 2 artanh((m - 1) / (m + 1)).
double logarithm(double x) {
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

// Coefficients of the rational approximations of algorithm AS 241 (M. J. Wichura, Applied Statistics 37, 1988),
// constant term first: near the middle, and in the two parts of the tail.
constexpr double kMiddle[2][8] = {
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
constexpr double kTail[2][8] = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
constexpr double kFarTail[2][8] = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};

double ratio(const double (&terms)[2][8], double x) {
  double above = terms[0][7], below = terms[1][7];
  for (int i = 6; i >= 0; --i) {
    above = above * x + terms[0][i];
    below = below * x + terms[1][i];
  }
  return above / below;
}

// How a centred uniform number becomes an element.
struct Uniform {
  double least, greatest;
  double operator()(double centred) const {
    const double value = 0.5 * least + 0.5 * greatest + (greatest - least) * centred;
    return value < least ? least : value > greatest ? greatest : value;  // rounding may lead out of the range
  }
};

struct Normal {
  double mean, deviation;
  double operator()(double centred) const { return mean + deviation * normal_quantile(centred); }
};

struct TruncatedNormal {
  double mean, deviation;
  double operator()(double centred) const {
    constexpr double kWithin = 0.95449973610364158560;  // probability of lying within two standard deviations
    const double z = normal_quantile(centred * kWithin);
    return mean + deviation * (z > 2 ? 2 : z < -2 ? -2 : z);
  }
};

template <class Element, class Value>
void fill(typename Element::Type* elements, int64_t begin, int64_t end, uint64_t seed, const Value& value) {
  for (int64_t i = begin; i < end; i += 2) {
    uint32_t words[4];
    philox_block(seed, static_cast<uint64_t>(i) / 2, kStream, words);
    elements[i] = Element::store(value(centred(words[0], words[1])));
    if (i + 1 < end) elements[i + 1] = Element::store(value(centred(words[2], words[3])));
  }
}

template <class Value>
void fill_table(Table& table, uint64_t seed, const Value& value, ParallelFor parallel_for,
                const std::atomic<bool>& stop) {
  with_element(table.dtype(), [&](auto element) {
    using Element = decltype(element);
    auto* elements = static_cast<typename Element::Type*>(table.data());
    for_blocks(parallel_for, table.rows() * table.dim(), kBlock, [&](int64_t begin, int64_t end) {
      if (!stop.load(std::memory_order_relaxed)) fill<Element>(elements, begin, end, seed, value);
    });
  });
}

}  // namespace

double normal_quantile(double q) {
  if (q >= -0.425 && q <= 0.425) return q * ratio(kMiddle, 0.180625 - q * q);
  const double tail = 0.5 - (q < 0 ? -q : q);
  const double r = std::sqrt(-logarithm(tail));
  const double z = r <= 5 ? ratio(kTail, r - 1.6) : ratio(kFarTail, r - 5);
  return q < 0 ? -z : z;
}

void initialize(Table& table, const Initializer& initializer, ParallelFor parallel_for, const std::atomic<bool>& stop) {
  const double first = initializer.first, second = initializer.second;
  const auto fill_with = [&](const auto& value) { fill_table(table, initializer.seed, value, parallel_for, stop); };
  switch (initializer.distribution) {
    case Distribution::zeros: return;
    case Distribution::uniform: return fill_with(Uniform{first, second});
    case Distribution::normal: return fill_with(Normal{first, second});
    case Distribution::truncated_normal: return fill_with(TruncatedNormal{first, second});
    case Distribution::glorot_uniform: {
      const double limit = std::sqrt(6 / (static_cast<double>(table.rows()) + static_cast<double>(table.dim())));
      return fill_with(Uniform{-limit, limit});
    }
  }
}

}  // namespace sampled_softmax
