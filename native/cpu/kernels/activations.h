// From logits to probabilities, for one instruction set. Included by kernels/<instruction set>.cc inside its anonymous
// namespace, after it has defined its vector types.

// exp(x) for x <= 32 or NaN; zero where the result would be below the smallest normal number.
// x = n ln 2 + r: the low bits of x / ln 2 + 1.5 * 2^(mantissa bits) + bias are the exponent of 2^n, which multiplies a
// polynomial in r. Within 1.1 units in the last place for float32, 1.2 for float64. A NaN remains one: r is NaN.
static inline __attribute__((always_inline)) typename Float::V exp_of(typename Float::V x) {
  using V = Float::V;
  const V low = Float::set1(-87.33654f), magic = Float::set1(12582912.0f + 127);
  const V y = Float::fma(x, Float::set1(1.44269504f), magic);
  const V n = y - magic;
  V r = Float::fma(n, Float::set1(-0.693359375f), x);
  r = Float::fma(n, Float::set1(2.12194440e-4f), r);
  // 1 + r + r^2 times the polynomial whose largest relative error in |r| <= ln(2) / 2 is least: 3e-9.
  V p = Float::set1(0.001381457201205194f);
  p = Float::fma(p, r, Float::set1(0.00836872961372137f));
  p = Float::fma(p, r, Float::set1(0.04166838899254799f));
  p = Float::fma(p, r, Float::set1(0.1666652113199234f));
  p = Float::fma(p, r, Float::set1(0.4999999403953552f));
  p = Float::fma(p, r * r, r) + Float::set1(1.0f);
  const V power = reinterpret_cast<V>(reinterpret_cast<Float::I>(y) << 23);
  return x < low ? Float::zero() : p * power;
}

static inline __attribute__((always_inline)) typename Double::V exp_of(typename Double::V x) {
  using V = Double::V;
  const V low = Double::set1(-708.3964185322641), magic = Double::set1(6755399441055744.0 + 1023);
  const V y = Double::fma(x, Double::set1(1.4426950408889634), magic);
  const V n = y - magic;
  V r = Double::fma(n, Double::set1(-0.69314718036912382), x);  // ln 2 in two parts: n times the first is exact
  r = Double::fma(n, Double::set1(-1.9082149292705877e-10), r);
  V p = Double::set1(1.0 / 6227020800.0);
  const double inverse_factorials[] = {
      1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
      1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
#pragma GCC unroll 13
  for (int i = 0; i < 13; ++i) p = Double::fma(p, r, Double::set1(inverse_factorials[i]));
  const V power = reinterpret_cast<V>(reinterpret_cast<Double::I>(y) << 52);
  return x < low ? Double::zero() : p * power;
}

// log(1 + u) for u in [0, 1] or NaN: 2 artanh(s) with s = u / (2 + u) <= 1/3, as a series in s^2.
template <class S, int Terms>
static inline __attribute__((always_inline)) typename S::V log1p_series(typename S::V u) {
  using T = typename S::T;
  const typename S::V s = u / (S::set1(2) + u), s2 = s * s;
  typename S::V p = S::set1(T(2) / T(2 * Terms + 1));
#pragma GCC unroll 20
  for (int i = Terms - 1; i >= 0; --i) p = S::fma(p, s2, S::set1(T(2) / T(2 * i + 1)));
  return s * p;
}
static inline typename Float::V log1p_of(typename Float::V u) { return log1p_series<Float, 7>(u); }
static inline typename Double::V log1p_of(typename Double::V u) { return log1p_series<Double, 16>(u); }

// A NaN in `b` is passed over.
template <class S>
static inline typename S::V larger(typename S::V a, typename S::V b) {
  return b > a ? b : a;
}

template <class S>
static void row_max(const typename S::T* z, int64_t columns, typename S::T* max) {
  constexpr int NR = 2 * S::L;
  typename S::V m0 = S::load(max), m1 = S::load(max + S::L), n0 = m0, n1 = m1;
  int64_t c = 0;
  for (; c + 2 <= columns; c += 2, z += 2 * NR) {
    m0 = larger<S>(m0, S::load(z));
    m1 = larger<S>(m1, S::load(z + S::L));
    n0 = larger<S>(n0, S::load(z + NR));
    n1 = larger<S>(n1, S::load(z + NR + S::L));
  }
  if (c < columns) {
    m0 = larger<S>(m0, S::load(z));
    m1 = larger<S>(m1, S::load(z + S::L));
  }
  S::store(max, larger<S>(m0, n0));
  S::store(max + S::L, larger<S>(m1, n1));
}

// A sum of terms >= 0 that keeps what each addition rounds away: as good as one in double (in which a plain sum would
// take twice the time of an exponential; in float32 it would lose as much as all the rest of a row does).
template <class S>
struct Sum {
  typename S::V sum = S::zero(), lost = S::zero();

  inline __attribute__((always_inline)) void add(typename S::V x) {
    const typename S::V next = sum + x;
    lost += x - (next - sum);
    sum = next;
  }
  inline void add_to(double* total) const {
    typename S::T a[S::L], b[S::L];
    S::store(a, sum);
    S::store(b, lost);
    // An infinite sum has lost NaN.
    for (int i = 0; i < S::L; ++i)
      total[i] += a[i] - a[i] == 0 ? static_cast<double>(a[i]) + static_cast<double>(b[i]) : static_cast<double>(a[i]);
  }
};

// Replaces z by f(z) and adds up g, what f puts into its last argument.
template <class S, class F>
static inline __attribute__((always_inline)) void map_and_sum(typename S::T* z, int64_t columns, double* sum, F f) {
  Sum<S> s0, s1;
  typename S::V g0, g1, h0, h1;
  int64_t c = 0;
  // What is lost of the sum of two is nothing beside what the exponentials lack.
  for (; c + 2 <= columns; c += 2, z += 4 * S::L) {
    S::store(z, f(S::load(z), 0, g0));
    S::store(z + S::L, f(S::load(z + S::L), 1, g1));
    S::store(z + 2 * S::L, f(S::load(z + 2 * S::L), 0, h0));
    S::store(z + 3 * S::L, f(S::load(z + 3 * S::L), 1, h1));
    s0.add(g0 + h0);
    s1.add(g1 + h1);
  }
  if (c < columns) {
    S::store(z, f(S::load(z), 0, g0));
    S::store(z + S::L, f(S::load(z + S::L), 1, g1));
    s0.add(g0);
    s1.add(g1);
  }
  s0.add_to(sum);
  s1.add_to(sum + S::L);
}

template <class S>
static void exponentials(typename S::T* z, int64_t columns, const typename S::T* max, double* sum) {
  const typename S::V m[2] = {S::load(max), S::load(max + S::L)};
  map_and_sum<S>(z, columns, sum,
                 [&m](typename S::V x, int half, typename S::V& g) { return g = exp_of(x - m[half]); });
}

// With u = exp(-|z|): softplus(z) = max(z, 0) + log(1 + u); sigmoid(z) = 1 / (1 + u), or u / (1 + u) where z < 0.
template <class S>
static void logistic(typename S::T* z, int64_t columns, double* sum) {
  map_and_sum<S>(z, columns, sum, [](typename S::V x, int, typename S::V& g) {
    const auto negative = x < S::zero();
    const typename S::V u = exp_of(negative ? x : -x);
    g = (negative ? S::zero() : x) + log1p_of(u);
    return (negative ? u : S::set1(1)) / (S::set1(1) + u);
  });
}

// Within 3 units in the last place for finite x > 0 that are not subnormal. x = 2^e m with m within a factor of sqrt(2)
// of 1.
static inline Double::V log_of(Double::V x) {
  using V = Double::V;
  using I = Double::I;
  constexpr int64_t kHalfRoot = 0x3fe6a09e667f3bcd;                            // sqrt(1/2)
  constexpr double kInteger = 6755399441055744.0, kLn2 = 0.69314718036912382;  // with as many zeros as e has bits
  constexpr int64_t kIntegerBits = 0x4338000000000000;
  const I bits = reinterpret_cast<I>(x), e = (bits - kHalfRoot) >> 52;
  const V m = reinterpret_cast<V>(bits - (e << 52)), n = reinterpret_cast<V>(e + kIntegerBits) - Double::set1(kInteger);
  const V log_m = Double::fma(n, Double::set1(1.9082149292705877e-10), log1p_series<Double, 11>(m - Double::set1(1)));
  return Double::fma(n, Double::set1(kLn2), log_m);
}

// Calls f with each vector of x; with ones beside the last elements where they do not fill one. f may change it.
template <class F>
static inline __attribute__((always_inline)) void each_vector(double* x, int64_t n, F&& f) {
  constexpr int L = Double::L;
  const int64_t rest = n % L, whole = n - rest;
  for (int64_t i = 0; i < whole; i += L) {
    Double::V v = Double::load(x + i);
    f(v);
    Double::store(x + i, v);
  }
  if (rest == 0) return;
  double last[L];
  for (int i = 0; i < L; ++i) last[i] = i < rest ? x[whole + i] : 1;
  Double::V v = Double::load(last);
  f(v);
  Double::store(last, v);
  for (int64_t i = 0; i < rest; ++i) x[whole + i] = last[i];
}

static void exps(double* x, int64_t n) {
  each_vector(x, n, [](Double::V& v) { v = exp_of(v); });
}

static void logs(double* x, int64_t n) {
  const Double::V smallest = Double::set1(2.2250738585072014e-308), largest = Double::set1(1.7976931348623157e308);
  const auto unusual_of = [&](Double::V v) { return !(v >= smallest && v <= largest); };
  auto unusual = unusual_of(smallest);
  each_vector(x, n, [&](Double::V& v) { unusual |= unusual_of(v); });
  int64_t any = 0;
  for (int i = 0; i < Double::L; ++i) any |= unusual[i];
  if (!any) return each_vector(x, n, [](Double::V& v) { v = log_of(v); });
  // One by one: the same bits whatever stands beside an element.
  for (int64_t i = 0; i < n; ++i) {
    const Double::V v = Double::set1(x[i]);
    x[i] = unusual_of(v)[0] ? __builtin_log(x[i]) : log_of(v)[0];
  }
}
