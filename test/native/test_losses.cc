// The drivers against the plain reference, over shapes that no block divides, every option, dtype and row plan; and the
// same bits for every number of threads. SAMPLED_SOFTMAX_ISA says which kernels; 77 where the processor lacks them.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <tuple>
#include <vector>

#include "cases.h"
#include "check.h"
#include "core/instruction_set.h"
#include "cpu/dispatch.h"
#include "cpu/pool.h"
#include "cpu/step.h"

using namespace sampled_softmax;

namespace {

enum class Driver { grouped, ranged, kept, reduced, streamed, sliced };

template <class T>
void run(Case& c, bool full, Driver driver, int threads) {
  Step<T> step(c.p, full, threads);
  Status status;
  if constexpr (sizeof(T) == sizeof(float)) {
    if (driver == Driver::reduced) status = run_reduced(step);
  }
  if (driver == Driver::grouped) status = run_grouped(step);
  if (driver == Driver::ranged) status = run_ranged(step);
  if (driver == Driver::kept) status = run_kept(step);
  if (driver == Driver::streamed) status = run_streamed(step);
  if (driver == Driver::sliced) status = run_sliced(step);
  CHECK(status.ok(), "%s", status.message);
}

// A call that wants the losses alone.
std::vector<double> losses_alone(Case& c, bool full, Driver driver) {
  const SampledProblem whole = c.p;
  c.p.input_gradients = c.p.weight_gradients.values = c.p.bias_gradients.values = nullptr;
  std::fill(c.losses.begin(), c.losses.end(), NAN);
  if (c.p.float64) run<double>(c, full, driver, 3);
  else run<float>(c, full, driver, 3);
  c.p = whole;
  return c.losses;
}

using Outputs = std::array<std::vector<double>, 4>;
constexpr const char* kOutputNames[] = {"losses", "input_gradients", "weight_gradients", "bias_gradients"};

Outputs run(Case& c, bool full, Driver driver, int threads) {
  for (auto* output : {&c.losses, &c.input_gradients, &c.weight_gradients, &c.bias_gradients}) {
    std::fill(output->begin(), output->end(), NAN);
  }
  if (c.p.float64) run<double>(c, full, driver, threads);
  else run<float>(c, full, driver, threads);
  return {c.losses, c.input_gradients, c.weight_gradients, c.bias_gradients};
}

// Beside 3. Where a sanitizer looks on, at several times the cost, what fewer threads touch is nothing new.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kOtherThreads[] = {8};
#else
constexpr int kOtherThreads[] = {1, 2, 8};
#endif

bool can_run(const Case& c, bool full, Driver driver) {
  // A set with products of bfloat16 has another set's kernels for all else, which have a run of their own.
  if (kernels().bfloat16 && driver != Driver::reduced) return false;
  if (c.p.dim > kLongestRow) return driver == Driver::sliced;
  const Step<float> step(c.p, full, 1);
  switch (driver) {
    case Driver::grouped: return c.p.float64 ? can_group(Step<double>(c.p, full, 1)) : can_group(step);
    case Driver::ranged: return c.p.num_sampled > 0;  // there are no ranges of none
    case Driver::reduced: return can_reduce(step);
    case Driver::sliced: return c.p.dim > 0;  // no dims are no slices
    default: return true;
  }
}

void compare(const Shape& shape, const Options& o, uint32_t seed) {
  Case c(shape, o, seed);
  std::vector<Driver> drivers;
  for (Driver driver :
       {Driver::grouped, Driver::ranged, Driver::kept, Driver::reduced, Driver::streamed, Driver::sliced}) {
    if (can_run(c, o.full, driver)) drivers.push_back(driver);
  }
  if (drivers.empty()) return;
  const Reference reference_values = reference(c.p, o.full);
  const std::vector<double>* want[] = {&reference_values.losses, &reference_values.inputs, &reference_values.weights,
                                       &reference_values.biases};
  for (Driver driver : drivers) {
    const Outputs got = run(c, o.full, driver, 3);
    const double tolerance = o.float64 && shape.sampled > 100'000 ? 1e-11  // the reference adds one after another, too
                             : o.float64                          ? 1e-12
                             : driver == Driver::reduced          ? 1.0 / 128
                             : o.numerics == Numerics::mindspore  ? 2e-5
                                                                  : 4e-6;
    for (size_t i = 0; i < got.size(); ++i) {
      const double error = worst(got[i].data(), o.float64, *want[i]);
      CHECK(error <= tolerance,
            "B %d D %d S %d T %d C %d driver %d full %d loss %d mode %d shards %d f64 %d stored %d: %s off by %g",
            int(shape.batch), int(shape.dim), int(shape.sampled), int(shape.num_true), int(shape.classes), int(driver),
            o.full, int(o.loss), int(o.mode), o.shards, o.float64, int(o.stored), kOutputNames[i], error);
    }
    const std::vector<double> alone = losses_alone(c, o.full, driver);
    CHECK(std::memcmp(got[0].data(), alone.data(), alone.size() * sizeof(double)) == 0,
          "driver %d: other losses where no gradients are wanted", int(driver));
    for (int threads : kOtherThreads) {
      const Outputs again = run(c, o.full, driver, threads);
      for (size_t i = 0; i < got.size(); ++i) {
        CHECK(got[i].empty() || std::memcmp(got[i].data(), again[i].data(), got[i].size() * sizeof(double)) == 0,
              "%s: other bits with %d threads", kOutputNames[i], threads);
      }
    }
  }
}

// The exponential that the probabilities are made of, at a sample of all numbers up to 32, a lane each.
template <class T>
void test_exponentials(double tolerance) {
  const Kernels<T>& k = std::get<const Kernels<T>&>(std::tie(kernels().float32, kernels().float64));
  const int NR = k.rows_per_strip;
  const T low = sizeof(T) == 4 ? T(-87.33654f) : T(-708.3964185322641);
  const std::vector<T> max(static_cast<size_t>(NR), T(0));
  std::vector<T> x(static_cast<size_t>(NR) * 1001);
  for (size_t i = 0; i < x.size(); ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(x.size() - 1);
    x[i] = static_cast<T>(i % 3 == 0   ? static_cast<double>(low) * share
                          : i % 3 == 1 ? -std::pow(10.0, -12 * share)
                                       : 32 * share);
  }
  std::vector<T> e = x;
  std::vector<double> sum(static_cast<size_t>(NR), 0.0), want(sum);
  k.exponentials(e.data(), 1001, max.data(), sum.data());
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::exp(static_cast<long double>(x[i]));
    const double unit = std::ldexp(1.0, std::ilogb(exact) - (sizeof(T) == 4 ? 23 : 52));
    const double error = static_cast<double>(std::fabs(static_cast<long double>(e[i]) - exact)) / unit;
    CHECK(error <= tolerance, "exp(%.17g) is %g units in the last place off", static_cast<double>(x[i]), error);
    want[i % static_cast<size_t>(NR)] += static_cast<double>(e[i]);
  }
  for (size_t r = 0; r < sum.size(); ++r) {
    CHECK(std::fabs(sum[r] - want[r]) <= 1e-7 * want[r], "lane %zu: sum %.17g, not %.17g", r, sum[r], want[r]);
  }
  const T special[] = {T(0), std::nextafter(low, T(-1e9)), -std::numeric_limits<T>::infinity(),
                       std::numeric_limits<T>::quiet_NaN()};
  const T results[] = {T(1), T(0), T(0), std::numeric_limits<T>::quiet_NaN()};
  for (int i = 0; i < 4; ++i) {
    std::vector<T> z(static_cast<size_t>(NR), special[i]);
    k.exponentials(z.data(), 1, max.data(), sum.data());
    for (T value : z) {
      CHECK(value == results[i] || (value != value && results[i] != results[i]), "exp(%g) is %g",
            static_cast<double>(special[i]), static_cast<double>(value));
    }
  }
}

// The logarithm of expected counts: between the powers of two and across them, close to 1, and where there is none.
void test_logs() {
  std::vector<double> x;
  for (int i = -1000; i <= 1000; ++i) {
    x.push_back(std::ldexp(1 + 0.0007 * (i + 1000), i));
    x.push_back(1 + 1e-6 * i);
    x.push_back(std::ldexp(std::sqrt(0.5), i % 60) * (1 + 1e-16 * (i % 3)));
  }
  std::vector<double> y = x;
  kernels().float32.logs(y.data(), static_cast<int64_t>(y.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::log(static_cast<long double>(x[i]));
    const double unit = exact == 0 ? 1 : std::ldexp(1.0, std::ilogb(exact) - 52);
    const double error = static_cast<double>(std::fabs(static_cast<long double>(y[i]) - exact)) / unit;
    CHECK(error <= 3, "log(%.17g) is %.17g, %g units in the last place off", x[i], y[i], error);
  }
  const double none = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const double special[] = {0, -1, infinity, none, 5e-324, 1, 2.2250738585072014e-308, 1.7976931348623157e308, 0.5};
  for (double value : special) {
    double all[3] = {1, value, 1};
    kernels().float64.logs(all, 3);
    const double want = std::log(value), error = std::fabs(all[1] - want);
    CHECK(error <= 2e-16 * std::fabs(want) || all[1] == want || (all[1] != all[1] && want != want), "log(%g) is %g",
          value, all[1]);
    CHECK(all[0] == 0 && all[2] == 0, "log(1) beside log(%g)", value);
    double beside[] = {value, 0.3}, alone[] = {0.3};
    kernels().float64.logs(beside, 2);
    kernels().float64.logs(alone, 1);
    CHECK(beside[1] == alone[0], "log(0.3) has other bits beside log(%g)", value);
  }
}

// Exponentials of doubles in place, of any number of them.
void test_exps() {
  for (int64_t n = 0; n < 20; ++n) {
    std::vector<double> x;
    for (int64_t i = 0; i <= n; ++i) x.push_back(i % 5 ? 0.7 - 1.3 * static_cast<double>(i) : -700 * 0.1 * i);
    std::vector<double> y = x;
    kernels().float32.exps(y.data(), n);
    for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
      CHECK(std::fabs(y[i] - std::exp(x[i])) <= 3e-16 * std::exp(x[i]), "exp(%g) is %.17g", x[i], y[i]);
    }
    CHECK(y.back() == x.back(), "the element after the last of %d", static_cast<int>(n));
  }
  const double infinity = std::numeric_limits<double>::infinity();
  double special[] = {-infinity, std::numeric_limits<double>::quiet_NaN(), 0};
  kernels().float64.exps(special, 3);
  CHECK(special[0] == 0 && special[1] != special[1] && special[2] == 1, "exp of -infinity, NaN and 0");
}

}  // namespace

// Usage: test_losses [EVERY [FROM]]: only every EVERY-th case, from the FROM-th on. For a sample take an EVERY that
// shares no factor with the 26 cases of a shape, or some options would never be among them.
int main(int argc, char** argv) {
  const int every = argc > 1 ? std::atoi(argv[1]) : 1, from = argc > 2 ? std::atoi(argv[2]) : 0;
  if (Status status = instruction_set_status(); !status.ok()) {
    std::printf("%s\n", status.message);
    return 77;
  }
  set_pool_threads(8);
  test_exponentials<float>(1.1);
  test_exponentials<double>(1.2);
  test_logs();
  test_exps();
  uint32_t seed = 1;
  int number = 0;
  const auto compare_some = [&](const Shape& shape, const Options& options, uint32_t case_seed) {
    if (number++ % every == from) compare(shape, options, case_seed);
  };
  for (const Shape& shape : kShapes) for_each_case(shape, seed, compare_some);
  for_each_rising_case(seed, compare_some);
  for_each_large_case(seed, compare_some);
  return finish("losses");
}
