// Problems of every shape, dtype, option and row plan, with memory of their own: what the backends are tried on.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/row_plan.h"
#include "reference.h"

namespace sampled_softmax {

struct Shape {
  int64_t batch, dim, sampled, num_true, classes;
};

struct Options {
  bool full = false, float64 = false, biases = true, upstream = false, repeats = false;
  Loss loss = Loss::softmax;
  Numerics numerics = Numerics::stable;
  HitMask hits = HitMask::all;
  bool log_q = true;
  GradientMode mode = GradientMode::sparse;
  int32_t shards = 1;
  Partition partition = Partition::mod;
  DType stored = DType::float32;
  int64_t rising = 0;  // columns after which the logits of those that follow are 17 larger, again and again; 0: never
};

// A problem with memory of its own.
struct Case {
  SampledProblem p;
  std::vector<std::vector<char>> shard_data;
  std::vector<Shard> weights, biases;
  std::vector<char> inputs;
  std::vector<int64_t> labels, sampled;
  std::vector<double> true_count, sampled_count, upstream;
  std::vector<int32_t> narrow_labels, narrow_sampled;
  std::vector<float> narrow_true_count, narrow_sampled_count;
  RowPlan plan;
  std::vector<double> losses, input_gradients, weight_gradients, bias_gradients;  // doubles as room for floats

  Case(const Shape& shape, const Options& o, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    const DType stored = o.float64 ? DType::float64 : o.stored;
    const auto fill = [&](int64_t n, double scale) {
      std::vector<char> bytes(static_cast<size_t>(n) * size_of(stored) + 8);
      for (int64_t i = 0; i < n; ++i) {
        const double x = scale * normal(random);
        const float f = static_cast<float>(x);
        uint16_t half = stored == DType::float16 ? float_to_float16(f) : float_to_bfloat16(f);
        const void* from = stored == DType::float64   ? static_cast<const void*>(&x)
                           : stored == DType::float32 ? static_cast<const void*>(&f)
                                                      : &half;
        std::memcpy(&bytes[static_cast<size_t>(i) * size_of(stored)], from, size_of(stored));
      }
      return bytes;
    };
    p.batch = shape.batch, p.dim = shape.dim, p.num_true = shape.num_true, p.num_classes = shape.classes;
    p.num_sampled = o.full ? shape.classes : shape.sampled;
    p.loss = o.loss, p.numerics = o.numerics, p.float64 = o.float64;
    p.hits = o.full ? HitMask::keep : o.hits;
    p.subtract_log_q = o.log_q && !o.full;
    const auto parameter = [&](int64_t width, std::vector<Shard>& shards, ClassRows& rows) {
      // No larger logits for long rows: their rounding is what the gradients' tolerance has to hold.
      const double scale = width <= 300 ? 0.5 : 0.5 * std::sqrt(300.0 / static_cast<double>(width));
      for (int32_t i = 0; i < o.shards; ++i) {
        const int64_t n = shard_rows(i, shape.classes, o.shards);
        shard_data.push_back(fill(n * width, scale));
        shards.push_back({nullptr, n, stored});
      }
      for (int32_t i = 0; i < o.shards; ++i) {
        shards[static_cast<size_t>(i)].data = shard_data[shard_data.size() - static_cast<size_t>(o.shards - i)].data();
      }
      rows.shards = shards.data(), rows.num_shards = o.shards, rows.partition = o.partition;
      rows.rows = shape.classes, rows.width = width;
    };
    parameter(shape.dim, weights, p.weights);
    if (o.biases) parameter(1, biases, p.biases);
    inputs = fill(shape.batch * shape.dim, 1);
    p.inputs = inputs.data(), p.inputs_dtype = stored;
    std::uniform_int_distribution<int64_t> any(0, shape.classes - 1), few(0, std::min<int64_t>(shape.classes, 7) - 1);
    for (int64_t i = 0; i < shape.batch * shape.num_true; ++i) labels.push_back(i % 3 ? any(random) : few(random));
    for (int64_t i = 0; i < p.num_sampled; ++i) {
      sampled.push_back(o.repeats ? few(random) : (i * 7919 + 3) % shape.classes);
    }
    for (int64_t i = 0; o.rising && i < p.num_sampled; ++i) {
      const float bias = 17 * static_cast<float>(i / o.rising);
      const int64_t row = o.full ? i : sampled[static_cast<size_t>(i)];
      std::memcpy(&shard_data.back()[static_cast<size_t>(row) * sizeof bias], &bias, sizeof bias);
    }
    for (int64_t i = 0; i < shape.batch * shape.num_true; ++i) true_count.push_back(0.1 + 0.01 * (i % 13));
    for (int64_t i = 0; i < p.num_sampled; ++i) sampled_count.push_back(0.2 + 0.01 * (i % 17));
    for (int64_t i = 0; i < shape.batch; ++i) upstream.push_back(normal(random));
    p.labels = labels.data(), p.sampled = o.full ? Ids() : Ids(sampled.data());
    p.true_expected_count = true_count.data(), p.sampled_expected_count = sampled_count.data();
    if (seed % 2) {  // the narrow forms of ids and counts
      narrow_labels.assign(labels.begin(), labels.end()), narrow_sampled.assign(sampled.begin(), sampled.end());
      narrow_true_count.assign(true_count.begin(), true_count.end());
      narrow_sampled_count.assign(sampled_count.begin(), sampled_count.end());
      p.labels = narrow_labels.data(), p.sampled = o.full ? Ids() : Ids(narrow_sampled.data());
      p.true_expected_count = narrow_true_count.data(), p.sampled_expected_count = narrow_sampled_count.data();
    }
    if (o.upstream) p.upstream = upstream.data(), p.upstream_scale = 0.25;
    p.reduced_precision = true;

    std::vector<int64_t> ids = sampled;
    for (int64_t c = 0; o.full && c < shape.classes; ++c) ids[static_cast<size_t>(c)] = c;
    plan = plan_rows(p.labels, o.full ? 0 : labels.size(), ids.data(), ids.size(), shape.classes, o.shards, o.partition,
                     o.full ? GradientMode::dense : o.mode);
    if (o.full) plan.merged = false;
    const auto gradients = [&](RowGradients& g, std::vector<double>& values, int64_t width) {
      values.assign(static_cast<size_t>(plan.num_rows * width) + 1, NAN);
      g.values = values.data(), g.num_rows = plan.num_rows, g.merged = plan.merged;
      g.sampled_distinct = plan.sampled_distinct;
      g.slot_row = plan.slot_row.view();
    };
    losses.assign(static_cast<size_t>(shape.batch) + 1, NAN);
    input_gradients.assign(static_cast<size_t>(shape.batch * shape.dim) + 1, NAN);
    p.losses = losses.data(), p.input_gradients = input_gradients.data();
    gradients(p.weight_gradients, weight_gradients, shape.dim);
    if (o.biases) gradients(p.bias_gradients, bias_gradients, 1);
  }
};

// The largest error of `got` in units of the largest element of `want`; enormous where one is not finite.
inline double worst(const void* got, bool float64, const std::vector<double>& want) {
  double scale = 1e-2, error = 0;
  for (double w : want) scale = std::max(scale, std::fabs(w));
  for (size_t i = 0; i < want.size(); ++i) {
    const double x = read_element(got, float64 ? DType::float64 : DType::float32, static_cast<int64_t>(i));
    error = std::max(error, std::isfinite(x) ? std::fabs(x - want[i]) / scale : 1e9);
  }
  return error;
}

// Shapes that no tile or block divides.
inline const Shape kShapes[] = {{1, 1, 1, 1, 2},
                                {3, 10, 5, 2, 40},
                                {33, 50, 101, 1, 500},
                                {64, 32, 24, 1, 90},
                                {65, 129, 13, 3, 60},
                                {7, 300, 400, 1, 1000},
                                {140, 8, 600, 2, 700},
                                {5, 0, 9, 1, 30},
                                {40, 20, 70, 60, 80},
                                {9, 16, 0, 2, 30},
                                {530, 17, 40, 1, 45},
                                // more rows than a block of the kept drivers, more columns than one of the streamed
                                {1100, 5, 30, 1, 45},
                                {3, 2, 9000, 2, 17000},
                                // longer rows than any driver packs whole
                                {2, 33000, 3, 2, 20}};

// Calls compare(shape, options, seed) for every combination of options that may matter to a backend.
template <class Compare>
void for_each_case(const Shape& shape, uint32_t& seed, Compare&& compare) {
  for (DType stored : {DType::float32, DType::float64, DType::bfloat16}) {
    Options o;
    o.stored = stored;
    o.float64 = stored == DType::float64;
    compare(shape, o, seed++);
    o.upstream = true;
    o.mode = GradientMode::merged;
    compare(shape, o, seed++);
    o.repeats = true;
    compare(shape, o, seed++);
    o.hits = HitMask::last;
    o.mode = GradientMode::dense;
    compare(shape, o, seed++);
    o.loss = Loss::logistic;
    o.shards = 2;
    compare(shape, o, seed++);
    o.mode = GradientMode::sparse;
    o.shards = 5;
    o.partition = Partition::div;
    o.hits = HitMask::keep;
    o.log_q = false;
    compare(shape, o, seed++);
    o.loss = Loss::softmax;
    o.full = true;
    o.biases = false;
    compare(shape, o, seed++);
    o.biases = true;
    o.shards = 1;
    compare(shape, o, seed++);
  }
  Options o;
  o.numerics = Numerics::mindspore;
  o.hits = HitMask::keep;
  compare(shape, o, seed++);
  o = {};
  o.stored = DType::float16;
  compare(shape, o, seed++);
}

// Logits that rise from block to block of columns, some rows' by more than others'.
template <class Compare>
void for_each_rising_case(uint32_t& seed, Compare&& compare) {
  const Shape narrow{35, 20, 2200, 1, 2500}, wide{33, 300, 500, 2, 600};
  for (const Shape& shape : {narrow, wide}) {
    Options o;
    o.rising = shape.dim < 100 ? 960 : 240;
    compare(shape, o, seed++);
    o.mode = GradientMode::merged;
    compare(shape, o, seed++);
    o.full = true;
    compare(shape, o, seed++);
    o.full = false;
    o.hits = HitMask::keep;
    o.numerics = Numerics::mindspore;
    compare(shape, o, seed++);
  }
}

// The same for more labels, for more columns, and for more of both, than are added to shared rows at a time.
template <class Compare>
void for_each_large_case(uint32_t& seed, Compare&& compare) {
  const Shape labels{2300, 1, 2, 60, 50}, columns{1, 1, 140'000, 1, 150'001}, both{20, 1, 135'000, 70'000, 140'000};
  for (DType stored : {DType::float32, DType::bfloat16}) {
    Options o;
    o.stored = stored;
    compare(labels, o, seed++);
    o.mode = GradientMode::merged;
    compare(labels, o, seed++);
    o.full = true;
    compare(labels, o, seed++);
  }
  // In double: of so many terms of either sign too little is left in float32.
  Options o;
  o.stored = DType::float64;
  o.float64 = true;
  compare(columns, o, seed++);
  o.mode = GradientMode::merged;
  o.repeats = true;
  compare(columns, o, seed++);
  o.hits = HitMask::keep;
  compare(both, o, seed++);
  o.mode = GradientMode::sparse;
  compare(both, o, seed++);
}

}  // namespace sampled_softmax
