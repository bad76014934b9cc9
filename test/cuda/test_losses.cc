// The losses of a CUDA backend library against the plain reference, over the shapes and options of the CPU's tests; and
// the same bits on every run. Usage: test_losses LIBRARY
#include <cstdio>
#include <cstring>
#include <vector>

#include "cases.h"
#include "check.h"
#include "library.h"

using namespace sampled_softmax;

namespace {

const Backend* backend;

SoftmaxProblem as_softmax(const SampledProblem& p) {
  SoftmaxProblem s;
  s.batch = p.batch, s.dim = p.dim, s.num_true = p.num_true, s.num_classes = p.num_classes;
  s.float64 = p.float64, s.reduced_precision = p.reduced_precision;
  s.weights = p.weights, s.biases = p.biases;
  s.inputs = p.inputs, s.inputs_dtype = p.inputs_dtype;
  s.labels = p.labels;
  s.upstream = p.upstream, s.upstream_scale = p.upstream_scale;
  s.losses = p.losses, s.input_gradients = p.input_gradients;
  s.weight_gradients = p.weight_gradients, s.bias_gradients = p.bias_gradients;
  return s;
}

void run(Case& c, bool full, bool reduced) {
  c.p.reduced_precision = reduced;
  PendingCall* pending = nullptr;
  Status status = full ? backend->start_softmax_loss(as_softmax(c.p), {}, &pending)
                       : backend->start_sampled_loss(c.p, {}, &pending);
  if (status.ok() && pending) status = backend->finish(pending);
  CHECK(status.ok(), "%s", status.message);
}

// `reduced`: precision 'high', where products may be of tf32.
void compare(const Shape& shape, const Options& o, uint32_t seed, bool reduced) {
  Case c(shape, o, seed);
  const Reference want = reference(c.p, o.full);
  run(c, o.full, reduced);
  const double tolerance = o.float64 ? 1e-12 : reduced ? 1.0 / 128 : o.numerics == Numerics::mindspore ? 2e-5 : 4e-6;
  const double errors[] = {worst(c.losses.data(), o.float64, want.losses),
                           worst(c.input_gradients.data(), o.float64, want.inputs),
                           worst(c.weight_gradients.data(), o.float64, want.weights),
                           worst(c.bias_gradients.data(), o.float64, want.biases)};
  for (int i = 0; i < 4; ++i) {
    CHECK(errors[i] <= tolerance,
          "B %d D %d S %d T %d C %d reduced %d full %d loss %d mode %d shards %d f64 %d stored %d: array %d off by %g",
          int(shape.batch), int(shape.dim), int(shape.sampled), int(shape.num_true), int(shape.classes), reduced,
          o.full, int(o.loss), int(o.mode), o.shards, o.float64, int(o.stored), i, errors[i]);
  }
  Case d(shape, o, seed);
  run(d, o.full, reduced);
  const auto same = [](const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 8) == 0);
  };
  CHECK(same(c.losses, d.losses), "losses of a second run");
  CHECK(same(c.input_gradients, d.input_gradients), "input gradients of a second run");
  CHECK(same(c.weight_gradients, d.weight_gradients), "weight gradients of a second run");
  CHECK(same(c.bias_gradients, d.bias_gradients), "bias gradients of a second run");
}

}  // namespace

int main(int argc, char** argv) {
  backend = &open_backend(argc, argv);
  uint32_t seed = 1;
  for (const Shape& shape : kShapes) {
    for (bool reduced : {false, true}) {
      for_each_case(shape, seed, [&](const Shape& s, const Options& o, uint32_t n) { compare(s, o, n, reduced); });
    }
  }
  return finish("losses");
}
