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

// log(1 + x): by log1p, which takes four times as long as log, where that would lose digits.
SAMPLED_SOFTMAX_ANYWHERE static inline double log_of_one_plus(double x) {
  return x > 1 ? std::log(1 + x) : std::log1p(x);
}

constexpr double kLargeRounding = 1.0 / 1024;

// `sum` = sum over the other columns of exp(z - max), their stored values; `max` is at least every logit of the row, as
// a T.
// `full`: the columns are all classes, the true ones among them; otherwise the true logits count beside the columns.
// `dz[j]` is the gradient of true logit j, and may be where that logit was; g the gradient of the loss. The logits are
// used up.
template <class T>
SAMPLED_SOFTMAX_ANYWHERE static inline RowTerms softmax_terms(double* logits, int64_t num_true, double max, double sum,
                                                              bool full, double g, double* dz) {
  const double label = 1.0 / static_cast<double>(num_true);
  double mean = 0, largest = -INFINITY, true_sum = 0;
  for (int64_t j = 0; j < num_true; ++j) {
    double above = logits[j] - max;
    // The largest is `max` but for its rounding, which is thousands where logits are enormous. And among the columns of
    // a full softmax stands a rounded one too: none may seem to be above it.
    const bool largest_of_all = static_cast<double>(static_cast<T>(logits[j])) >= max;
    if (largest_of_all && (std::fabs(above) > kLargeRounding || (full && above > 0))) above = max - max;
    mean += above * label;
    if (!(above <= largest)) largest = above;
    logits[j] = full ? 0 : std::exp(above);
    true_sum += logits[j];
  }
  const double total = sum + true_sum;
  double loss;
  if (full || !(largest > -1)) {
    loss = std::log(total) - mean;
  } else {
    // Where a true logit is the largest but for rounding, the loss may be as small as what log1p keeps; exactly zero
    // where there is nothing else.
    const double unit = num_true == 1 ? true_sum : std::exp(largest), others = sum / unit + (true_sum / unit - 1);
    loss = log_of_one_plus(others) + (largest - mean);
  }
  for (int64_t j = 0; j < num_true; ++j) dz[j] = g * (logits[j] / total - label);
  return {loss, g / total};
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
