// The losses of a CUDA backend library against the plain reference: shapes around the edges of tiles, with options that
// rotate. Usage: test_losses LIBRARY [--shapes N] [--again]
// --again: each case a second time, for the same bits. The last line has a hash of all results.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "library.h"
#include "run_case.h"

using namespace sampled_softmax;

namespace {

const Backend* backend;
bool again = false;
uint64_t hash = 0xcbf29ce484222325;

void absorb(const std::vector<double>& results) {
  for (const double& x : results) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3;
  }
}

// As worst(), in units of the largest element or 1: what is left where large logits meet has the rounding of those.
double off(const std::vector<double>& got, const Options& o, const std::vector<double>& want) {
  double largest = 1e-2;
  for (double x : want) largest = std::max(largest, std::fabs(x));
  return worst(got.data(), o.float64, want) * largest / std::max(largest, 1.0);
}

// `reduced`: precision 'high', where products may be of tf32.
void compare(const Shape& shape, const Options& o, uint32_t seed, bool reduced) {
  Case c(shape, o, seed);
  c.p.reduced_precision = reduced;
  const Reference want = reference(c.p, o.full);
  const Status status = run(*backend, c, o.full);
  CHECK(status.ok(), "%s", status.message);
  // The largest error of tf32 that has been seen is 1 / 575; with operands cut off, not rounded, it would be twice
  // that.
  const double of_products = o.stored == DType::bfloat16 ? 1.0 / 128 : 1.0 / 512;
  const double exact = o.numerics == Numerics::mindspore ? 2e-5 : 4e-6;
  const double tolerance = o.float64 ? 1e-12 : reduced ? of_products : exact;
  // Products of float16 are exact in tf32 as well as in f16: only probabilities are rounded.
  const double of_losses = o.stored == DType::float16 ? exact : tolerance;
  const double errors[] = {off(c.losses, o, want.losses), off(c.input_gradients, o, want.inputs),
                           off(c.weight_gradients, o, want.weights), off(c.bias_gradients, o, want.biases)};
  for (int i = 0; i < 4; ++i) {
    CHECK(errors[i] <= (i == 0 ? of_losses : tolerance),
          "B %d D %d S %d T %d C %d reduced %d full %d loss %d mode %d shards %d f64 %d stored %d: array %d off by %g",
          int(shape.batch), int(shape.dim), int(shape.sampled), int(shape.num_true), int(shape.classes), reduced,
          o.full, int(o.loss), int(o.mode), o.shards, o.float64, int(o.stored), i, errors[i]);
  }
  for (const std::vector<double>* results : {&c.losses, &c.input_gradients, &c.weight_gradients, &c.bias_gradients}) {
    absorb(*results);
  }
  if (!again) return;
  Case d(shape, o, seed);
  d.p.reduced_precision = reduced;
  run(*backend, d, o.full);
  CHECK(same_results(c, d), "B %d D %d S %d: other bits the second time", int(shape.batch), int(shape.dim),
        int(shape.sampled));
}

// Without dims, without columns, with many true classes, and sums in several parts.
const Shape kOdd[] = {{5, 0, 9, 1, 30}, {9, 16, 0, 2, 30}, {40, 20, 70, 60, 80}, {3, 9, 700, 1, 900}};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  // The same on every machine, unlike std::uniform_int_distribution.
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(engine_() % n); }
  template <class T, size_t n>
  T pick(const T (&from)[n]) {
    return from[below(n)];
  }

 private:
  std::mt19937 engine_;
};

// Tiles are 128 rows x 64 columns x 16 of k in float, 32 in bfloat16, and 64 x 32 x 8 in double; the product for class
// gradients turns them: 128 columns x 64 dims x 16 rows.
Shape shape_at_edges(Random& random) {
  const int64_t rows[] = {1, 2, 8, 15, 16, 17, 63, 64, 65, 127, 128, 129, 145};
  const int64_t columns[] = {1, 2, 31, 32, 33, 63, 64, 65, 96, 127, 128, 129, 193, 257};
  const int64_t dims[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 70};
  const int64_t true_classes[] = {1, 1, 1, 2, 3, 9};
  const int64_t others[] = {1, 2, 30, 65};
  Shape shape{random.pick(rows), random.pick(dims), random.pick(columns), random.pick(true_classes), 0};
  shape.classes = shape.sampled + random.pick(others);
  return shape;
}

Options some_options(Random& random) {
  const DType types[] = {DType::float32, DType::float32, DType::float64, DType::bfloat16, DType::float16};
  const HitMask masks[] = {HitMask::all, HitMask::last, HitMask::keep};
  const GradientMode modes[] = {GradientMode::sparse, GradientMode::merged, GradientMode::dense};
  Options o;
  o.stored = random.pick(types);
  o.float64 = o.stored == DType::float64;
  o.full = random.below(5) == 0;
  o.biases = random.below(4) > 0;
  o.upstream = random.below(2);
  o.repeats = random.below(4) == 0;
  o.log_q = random.below(4) > 0;
  o.hits = random.pick(masks);
  o.mode = random.pick(modes);
  o.shards = random.below(2) ? 1 : 2 + static_cast<int32_t>(random.below(3));
  o.partition = random.below(2) ? Partition::mod : Partition::div;
  o.loss = !o.full && random.below(3) == 0 ? Loss::logistic : Loss::softmax;
  if (!o.full && o.loss == Loss::softmax && random.below(6) == 0) o.numerics = Numerics::mindspore;
  if (o.numerics == Numerics::mindspore) o.hits = HitMask::keep;
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  backend = &open_backend(argc, argv);
  int shapes = 300;
  for (int i = 2; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--again")) again = true;
    if (!std::strcmp(argv[i], "--shapes") && i + 1 < argc) shapes = std::atoi(argv[i + 1]);
  }
  Random random(1);
  uint32_t seed = 1;
  for (const Shape& shape : kOdd) {
    for (int i = 0; i < 8; ++i) compare(shape, some_options(random), seed++, i % 3 == 2);
  }
  // Gradients of 10 and 20 MB, which several threads copy out.
  Options large;
  large.mode = GradientMode::dense;
  compare({2, 40, 3, 1, 64'000}, large, seed++, false);
  large.float64 = true, large.stored = DType::float64;
  compare({2, 40, 3, 1, 64'000}, large, seed++, false);
  for (int i = 0; i < shapes; ++i) {
    Options o = some_options(random);
    bool reduced = random.below(3) == 0;
    // Products of 16 bits.
    if (i % 4 == 3) o.stored = DType::bfloat16, o.float64 = false, reduced = true;
    if (i % 8 == 1) o.stored = DType::float16, o.float64 = false, reduced = true;
    compare(shape_at_edges(random), o, seed++, reduced);
  }
  const int result = finish("losses");
  std::printf("hash %016llx\n", static_cast<unsigned long long>(hash));
  return result;
}
