// The losses written out plainly, in double, straight from the formulas: what the fast drivers are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/class_rows.h"
#include "core/problem.h"

namespace sampled_softmax {

struct Reference {
  std::vector<double> losses, inputs, weights, biases;  // weights: [rows, D] as the row plan lays them out
};

// `full`: the columns are all classes, and the true logits do not count beside them.
inline Reference reference(const SampledProblem& p, bool full) {
  const int64_t B = p.batch, D = p.dim, S = p.num_sampled, T = p.num_true;
  Reference out;
  out.losses.assign(static_cast<size_t>(B), 0);
  out.inputs.assign(static_cast<size_t>(B * D), 0);
  out.weights.assign(static_cast<size_t>(p.weight_gradients.num_rows * D), 0);
  out.biases.assign(static_cast<size_t>(p.bias_gradients.num_rows), 0);
  const auto weight = [&](int64_t id, int64_t d) {
    const StoredRow row = stored_row(p.weights, id);
    return read_element(row.data, row.dtype, d);
  };
  const auto logit = [&](int64_t i, int64_t id) {
    double z = read_bias(p.biases, id);
    for (int64_t d = 0; d < D; ++d) z += read_element(p.inputs, p.inputs_dtype, i * D + d) * weight(id, d);
    return z;
  };
  const auto place = [](const RowGradients& g, int64_t slot) { return g.slot_row ? g.slot_row[slot] : slot; };
  for (int64_t i = 0; i < B; ++i) {
    const double g = p.upstream_scale * (p.upstream ? p.upstream[i] : 1.0);
    // The row's columns, true ones first (for the full softmax they only carry the label).
    struct Column {
      int64_t id, slot;
      double z, label;
      bool counts;
    };
    std::vector<Column> columns;
    for (int64_t j = 0; j < T; ++j) {
      const int64_t id = p.labels[i * T + j];
      double z = logit(i, id);
      if (p.subtract_log_q) z -= std::log(p.true_expected_count[i * T + j]);
      columns.push_back({id, full ? id : i * T + j, z, 1.0 / static_cast<double>(T), !full});
    }
    for (int64_t s = 0; s < S; ++s) {
      const int64_t id = p.sampled ? p.sampled[s] : s;
      bool hit = false;
      for (int64_t j = 0; p.hits != HitMask::keep && j < T; ++j) hit = hit || p.labels[i * T + j] == id;
      for (int64_t later = s + 1; p.hits == HitMask::last && later < S; ++later) hit = hit && p.sampled[later] != id;
      double z = logit(i, id);
      if (p.subtract_log_q) z -= std::log(p.sampled_expected_count[s]);
      columns.push_back({id, full ? id : B * T + s, z, 0, !hit});
    }
    double max = -INFINITY, total = 0, loss = 0;
    for (const Column& c : columns) {
      if (c.counts) max = std::max(max, c.z);
    }
    for (const Column& c : columns) total += c.counts ? std::exp(c.z - max) : 0;
    double mass = 0;
    for (const Column& c : columns) {
      const double p_c = c.counts ? std::exp(c.z - max) / total : 0;
      if (p.numerics == Numerics::mindspore) mass += c.label * p_c / (p_c + 1e-20);
    }
    for (const Column& c : columns) {
      double dz;
      const double p_c = c.counts ? std::exp(c.z - max) / total : 0;
      if (p.loss == Loss::logistic) {
        if (!c.counts) continue;
        loss += std::max(c.z, 0.0) - c.z * c.label + std::log1p(std::exp(-std::fabs(c.z)));
        dz = 1 / (1 + std::exp(-c.z)) - c.label;
      } else if (p.numerics == Numerics::mindspore) {
        if (c.label > 0) loss -= c.label * std::log(p_c + 1e-20);
        dz = p_c * mass - c.label * p_c / (p_c + 1e-20);
      } else {
        if (c.label > 0) loss += c.label * (max + std::log(total) - c.z);
        dz = p_c - c.label;
      }
      for (int64_t d = 0; d < D; ++d) {
        out.inputs[static_cast<size_t>(i * D + d)] += g * dz * weight(c.id, d);
        if (p.weight_gradients.values) {
          out.weights[static_cast<size_t>(place(p.weight_gradients, c.slot) * D + d)] +=
              g * dz * read_element(p.inputs, p.inputs_dtype, i * D + d);
        }
      }
      if (p.bias_gradients.values) out.biases[static_cast<size_t>(place(p.bias_gradients, c.slot))] += g * dz;
    }
    out.losses[static_cast<size_t>(i)] = loss;
  }
  return out;
}

}  // namespace sampled_softmax
