// The last step of each loss for one row, in double: from its true logits and what was summed over its other columns
// to the loss, the gradient of the true logits, and the factor that turns the stored values of the others into theirs.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/anywhere.h"
#include "core/problem.h"

namespace sampled_softmax {

struct RowTerms {
  double loss;
  double scale;  // gradient of the logit of column c = scale * (its stored value)
};

constexpr double kLargeRounding = 1.0 / 1024;

// A row of the softmax on its way to its terms, in steps, so that the exponentials and the logarithms between them may
// be those of many rows at once: begin_softmax; exp of the row's logits, in place; total_softmax; log of what it
// returns; end_softmax.
struct SoftmaxRow {
  double mean, largest;  // of the true logits less the maximum
  double total;
  double beside_log;  // the loss less that logarithm
};

// `max` is at least every logit of the row, as a T. `full`: the columns are all classes, the true ones among them;
// otherwise the true logits count beside the columns.
template <class T>
SAMPLED_SOFTMAX_ANYWHERE static inline SoftmaxRow begin_softmax(double* logits, int64_t num_true, double max,
                                                                bool full) {
  const double label = 1.0 / static_cast<double>(num_true);
  SoftmaxRow row = {0, -INFINITY, 0, 0};
  for (int64_t j = 0; j < num_true; ++j) {
    double above = logits[j] - max;
    // The largest is `max` but for its rounding, which is thousands where logits are enormous. And among the columns of
    // a full softmax stands a rounded one too: none may seem to be above it.
    const bool largest_of_all = static_cast<double>(static_cast<T>(logits[j])) >= max;
    if (largest_of_all && (std::fabs(above) > kLargeRounding || (full && above > 0))) above = max - max;
    row.mean += above * label;
    if (!(above <= row.largest)) row.largest = above;
    logits[j] = full ? -INFINITY : above;
  }
  return row;
}

// `exps` of what begin_softmax left; `sum` of exp(z - max) over the other columns, their stored values.
SAMPLED_SOFTMAX_ANYWHERE static inline double total_softmax(SoftmaxRow* row, const double* exps, int64_t num_true,
                                                            double sum, bool full) {
  double true_sum = 0;
  for (int64_t j = 0; j < num_true; ++j) true_sum += exps[j];
  row->total = sum + true_sum;
  row->beside_log = -row->mean;
  if (full || !(row->largest > -1)) return row->total;
  // Where a true logit is the largest but for rounding, the loss may be as small as what log1p keeps; exactly zero
  // where there is nothing else.
  const double unit = num_true == 1 ? true_sum : std::exp(row->largest);
  const double others = sum / unit + (true_sum / unit - 1);
  row->beside_log += row->largest;
  if (others > 1) return 1 + others;
  row->beside_log += std::log1p(others);
  return 1;
}

// `dz[j]` is the gradient of true logit j, and may be where its exponential was; g the gradient of the loss.
SAMPLED_SOFTMAX_ANYWHERE static inline RowTerms end_softmax(const SoftmaxRow& row, const double* exps, int64_t num_true,
                                                            double log, double g, double* dz) {
  const double label = 1.0 / static_cast<double>(num_true);
  for (int64_t j = 0; j < num_true; ++j) dz[j] = g * (exps[j] / row.total - label);
  return {log + row.beside_log, g / row.total};
}

// All of them for one row. The logits are used up.
template <class T>
SAMPLED_SOFTMAX_ANYWHERE static inline RowTerms softmax_terms(double* logits, int64_t num_true, double max, double sum,
                                                              bool full, double g, double* dz) {
  SoftmaxRow row = begin_softmax<T>(logits, num_true, max, full);
  for (int64_t j = 0; j < num_true; ++j) logits[j] = std::exp(logits[j]);
  const double log = std::log(total_softmax(&row, logits, num_true, sum, full));
  return end_softmax(row, logits, num_true, log, g, dz);
}

// MindSpore's -sum_j y_j log(p_j + 1e-20) with p rounded to T; with A = sum_j y_j p_j / (p_j + 1e-20) the gradient of
// logit k is p_k A, less y_k p_k / (p_k + 1e-20) where k is true.
template <class T>
SAMPLED_SOFTMAX_ANYWHERE static inline RowTerms mindspore_terms(const double* logits, int64_t num_true, double max,
                                                                double sum, double g, double* dz) {
  constexpr double kEpsilon = 1e-20;
  const auto rounded = [](double x) { return static_cast<double>(static_cast<T>(x)); };
  const auto exponential = [&](int64_t j) { return rounded(std::exp(rounded(logits[j]) - max)); };
  double total = sum;
  for (int64_t j = 0; j < num_true; ++j) total += exponential(j);
  const auto probability = [&](int64_t j) { return rounded(exponential(j) / rounded(total)); };
  const double label = 1.0 / static_cast<double>(num_true);
  double loss = 0, all = 0;
  for (int64_t j = 0; j < num_true; ++j) {
    const double p = probability(j);
    loss -= label * std::log(p + kEpsilon);
    all += label * p / (p + kEpsilon);
  }
  for (int64_t j = 0; j < num_true; ++j) {
    const double p = probability(j);
    dz[j] = g * (p * all - label * p / (p + kEpsilon));
  }
  return {loss, g * all / total};
}

// `sum` = sum over the sampled columns of softplus(z); their stored values are sigmoid(z).
SAMPLED_SOFTMAX_ANYWHERE static inline RowTerms logistic_terms(const double* logits, int64_t num_true, double sum,
                                                               double g, double* dz) {
  const double label = 1.0 / static_cast<double>(num_true);
  double loss = sum;
  for (int64_t j = 0; j < num_true; ++j) {
    const double t = logits[j], u = std::exp(-std::fabs(t));
    loss += (t > 0 ? t : t < 0 ? 0 : t) - t * label + std::log1p(u);  // a NaN stays one
    dz[j] = g * ((t < 0 ? u : 1) / (1 + u) - label);
  }
  return {loss, g};
}

}  // namespace sampled_softmax
