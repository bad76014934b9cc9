// The drivers against the plain reference, over shapes that no block divides, every option, dtype and row plan; and the
// same bits for every number of threads. SAMPLED_SOFTMAX_ISA says which kernels; 77 where the processor lacks them.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cases.h"
#include "check.h"
#include "core/instruction_set.h"
#include "cpu/dispatch.h"
#include "cpu/pool.h"
#include "cpu/step.h"

using namespace sampled_softmax;

namespace {

enum class Driver { grouped, ranged, kept, reduced, streamed };

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
  CHECK(status.ok(), "%s", status.message);
}

void run(Case& c, bool full, Driver driver, int threads) {
  if (c.p.float64) run<double>(c, full, driver, threads);
  else run<float>(c, full, driver, threads);
}

bool can_group(const Case& c, bool full) {
  return c.p.float64 ? can_group(Step<double>(c.p, full, 1)) : can_group(Step<float>(c.p, full, 1));
}

void compare(const Shape& shape, const Options& o, uint32_t seed) {
  for (Driver driver : {Driver::grouped, Driver::ranged, Driver::kept, Driver::reduced, Driver::streamed}) {
    const bool reduced = driver == Driver::reduced;
    Case c(shape, o, seed);
    if (driver == Driver::grouped && !can_group(c, o.full)) continue;
    if (driver == Driver::ranged && c.p.num_sampled == 0) continue;  // there are no ranges of none
    if (reduced && !can_reduce(Step<float>(c.p, o.full, 1))) continue;
    const Reference want = reference(c.p, o.full);
    run(c, o.full, driver, 3);
    const double tolerance = o.float64 ? 1e-12 : reduced ? 1.0 / 128 : o.numerics == Numerics::mindspore ? 2e-5 : 4e-6;
    const double errors[] = {worst(c.losses.data(), o.float64, want.losses),
                             worst(c.input_gradients.data(), o.float64, want.inputs),
                             worst(c.weight_gradients.data(), o.float64, want.weights),
                             worst(c.bias_gradients.data(), o.float64, want.biases)};
    for (int i = 0; i < 4; ++i) {
      CHECK(errors[i] <= tolerance,
            "B %d D %d S %d T %d C %d driver %d full %d loss %d mode %d shards %d f64 %d stored %d: array %d off by %g",
            int(shape.batch), int(shape.dim), int(shape.sampled), int(shape.num_true), int(shape.classes), int(driver),
            o.full, int(o.loss), int(o.mode), o.shards, o.float64, int(o.stored), i, errors[i]);
    }
    // Other numbers of threads: the same bits.
    for (int threads : {1, 2, 8}) {
      Case d(shape, o, seed);
      run(d, o.full, driver, threads);
      const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 8) == 0);
      };
      CHECK(same(c.losses, d.losses), "losses with %d threads", threads);
      CHECK(same(c.input_gradients, d.input_gradients), "input_gradients with %d threads", threads);
      CHECK(same(c.weight_gradients, d.weight_gradients), "weight_gradients with %d threads", threads);
      CHECK(same(c.bias_gradients, d.bias_gradients), "bias_gradients with %d threads", threads);
    }
  }
}

}  // namespace

// Usage: test_losses [EVERY]: only every EVERY-th case. One that shares no factor with the cases of a shape, or some
// options would never be among them.
int main(int argc, char** argv) {
  const int every = argc > 1 ? std::atoi(argv[1]) : 1;
  if (Status status = instruction_set_status(); !status.ok()) {
    std::printf("%s\n", status.message);
    return 77;
  }
  set_pool_threads(8);
  uint32_t seed = 1;
  int number = 0;
  const auto compare_some = [&](const Shape& shape, const Options& options, uint32_t case_seed) {
    if (number++ % every == 0) compare(shape, options, case_seed);
  };
  for (const Shape& shape : kShapes) for_each_case(shape, seed, compare_some);
  return finish("losses");
}
