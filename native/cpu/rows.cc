// What is done row by row: the true classes, accidental hits, and the end of each loss.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/loss_terms.h"
#include "cpu/class_rows.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kAhead = 32;  // rows of true classes to ask for in advance: a miss takes as long as several of them

}  // namespace

template <class T>
const T* Step<T>::input_rows(int64_t strip, T* room) const {
  const int64_t first = strip * NR * p.dim;
  if (p.inputs_dtype == dtype_of<T>()) return static_cast<const T*>(p.inputs) + first;
  k.convert(static_cast<const char*>(p.inputs) + static_cast<size_t>(first) * size_of(p.inputs_dtype), p.inputs_dtype,
            rows_of(strip) * p.dim, room);
  return room;
}

template <class T>
const T* Step<T>::input_row(int64_t row, int64_t d, int64_t n, T* room) const {
  return read_row(k, from_dim({p.inputs, p.inputs_dtype}, row * p.dim + d), n, room);
}

template <class T>
void Step<T>::label_offsets(int64_t begin, int64_t count, double* out) const {
  for (int64_t i = 0; i < count && p.subtract_log_q; ++i) out[i] = p.true_expected_count[begin + i];
  if (p.subtract_log_q) k.logs(out, count);
  for (int64_t i = 0; i < count; ++i) {
    const double bias = read_bias(p.biases, p.labels[begin + i]);
    out[i] = p.subtract_log_q ? bias - out[i] : bias;
  }
}

template <class T>
void Step<T>::find_true_logits(int64_t strip, int worker, const T* rows) {
  const int64_t begin = strip * NR * p.num_true, end = begin + rows_of(strip) * p.num_true;
  double* logits = true_terms(strip, worker);
  label_offsets(begin, end - begin, logits);
  int64_t ahead = begin;
  for (int64_t i = begin; i < end; rows += p.dim) {
    for (const int64_t next = i + p.num_true; i < next; ++i) {
      if (i == ahead) {
        ahead = std::min(i + kAhead, end);
        for (int64_t j = i; j < ahead; ++j) prefetch_row(stored_row(p.weights, p.labels[j]));
      }
      const T* weights = read_row(k, stored_row(p.weights, p.labels[i]), p.dim, label_room(worker));
      logits[i - begin] += k.dot(rows, weights, p.dim);
    }
  }
}

template <class T>
void Step<T>::exclude_hits(int64_t strip, int64_t begin, int64_t count, T* z) const {
  if (p.hits == HitMask::keep) return;
  const int64_t rows = rows_of(strip), first = strip * NR * p.num_true;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < p.num_true; ++j) {
      hits.each(p.labels[first + r * p.num_true + j], begin, begin + count,
                [&](int64_t c) { z[(c - begin) * NR + r] = -std::numeric_limits<T>::infinity(); });
    }
  }
}

template <class T>
void Step<T>::include_true_logits(int64_t strip, int worker) {
  if (full) return;
  const double* logits = true_terms(strip, worker);
  T* largest = max_of(strip);
  for (const T* end = largest + rows_of(strip); largest < end; ++largest) {
    for (int64_t j = 0; j < p.num_true; ++j) *largest = std::max(*largest, static_cast<T>(*logits++));
  }
}

template <class T>
void Step<T>::start_rows(int64_t strip, int worker) {
  std::fill_n(sum_of(strip), NR, 0.0);
  std::fill_n(max_of(strip), NR, -std::numeric_limits<T>::infinity());
  if (p.loss == Loss::softmax) include_true_logits(strip, worker);
}

template <class T>
void Step<T>::see_logits(int64_t strip, int64_t begin, int64_t count, T* z) {
  exclude_hits(strip, begin, count, z);
  if (p.loss == Loss::softmax) k.row_max(z, count, max_of(strip));
}

template <class T>
void Step<T>::activate(int64_t strip, int worker, int64_t columns, T* z) {
  if (p.loss == Loss::logistic) k.logistic(z, columns, sum_of(strip));
  else k.exponentials(z, columns, max_of(strip), sum_of(strip));
  finish_rows(strip, worker);
}

template <class T>
void Step<T>::finish_rows(int64_t strip, int worker) {
  const int64_t rows = rows_of(strip), first = strip * NR;
  double* true_class = true_terms(strip, worker);  // of a row: logits, and in their place their gradients
  double* scales = scale_of(strip);
  std::fill(scales + rows, scales + NR, 0.0);
  if (p.loss == Loss::softmax && p.numerics == Numerics::stable) return finish_softmax_rows(strip, true_class);
  T* losses = static_cast<T*>(p.losses) + first;
  for (int64_t r = 0; r < rows; ++r, true_class += p.num_true) {
    const double largest = static_cast<double>(max_of(strip)[r]), total = sum_of(strip)[r], by = upstream(first + r);
    const RowTerms terms = p.loss == Loss::logistic
                               ? logistic_terms(true_class, p.num_true, total, by, true_class)
                               : mindspore_terms<T>(true_class, p.num_true, largest, total, by, true_class);
    losses[r] = static_cast<T>(terms.loss);
    scales[r] = terms.scale;
  }
}

// As softmax_terms, but exponentials and logarithms by vectors: row by row a small step took 1.03 times as long.
template <class T>
void Step<T>::finish_softmax_rows(int64_t strip, double* true_class) {
  const int64_t rows = rows_of(strip), first = strip * NR, num_true = p.num_true;
  T* losses = static_cast<T*>(p.losses) + first;
  SoftmaxRow row[kMostRowsPerStrip];
  double logs[kMostRowsPerStrip];
  for (int64_t r = 0; r < rows; ++r) {
    row[r] = begin_softmax<T>(true_class + r * num_true, num_true, static_cast<double>(max_of(strip)[r]), full);
  }
  k.exps(true_class, rows * num_true);
  for (int64_t r = 0; r < rows; ++r) {
    logs[r] = total_softmax(row + r, true_class + r * num_true, num_true, sum_of(strip)[r], full);
  }
  k.logs(logs, rows);
  for (int64_t r = 0; r < rows; ++r) {
    double* exps = true_class + r * num_true;
    const RowTerms terms = end_softmax(row[r], exps, num_true, logs[r], upstream(first + r), exps);
    losses[r] = static_cast<T>(terms.loss);
    scale_of(strip)[r] = terms.scale;
  }
}

template <class T>
void Step<T>::clear_padding(int64_t strip, int64_t columns, int64_t padded, T* e) const {
  const int64_t rows = rows_of(strip);
  for (int64_t c = 0; rows < NR && c < columns; ++c) std::fill(e + c * NR + rows, e + (c + 1) * NR, T(0));
  std::fill(e + columns * NR, e + padded * NR, T(0));
}

template <class T>
void Step<T>::write_input_gradients(int64_t strip, int worker, const T* transposed) {
  const int64_t rows = rows_of(strip), first = strip * NR;
  T* out = static_cast<T*>(p.input_gradients) + first * p.dim;
  const double* dz = true_terms(strip, worker);
  // Of one true class, stored as T, in one go: that saves a small step 1 or 2 %.
  const T* added[kMostRowsPerStrip];
  bool in_place = p.num_true == 1;
  for (int64_t r = 0; r < rows && in_place; ++r) {
    const StoredRow row = stored_row(p.weights, p.labels[first + r]);
    in_place = row.dtype == dtype_of<T>();
    added[r] = static_cast<const T*>(row.data);
  }
  k.unpack_strip(transposed, rows, p.dim, scale_of(strip), in_place ? added : nullptr, dz, out);
  for (int64_t r = 0; r < rows && !in_place; ++r) {
    add_true_classes(first + r, dz + r * p.num_true, 0, p.dim, worker, out + r * p.dim);
  }
}

template <class T>
void Step<T>::add_true_classes(int64_t row, const double* dz, int64_t d, int64_t n, int worker, T* out) const {
  const auto label_weights = [&](int64_t j) {
    return read_row(k, from_dim(stored_row(p.weights, p.labels[row * p.num_true + j]), d), n, label_room(worker));
  };
  if (p.num_true <= kFewLabels) {
    for (int64_t j = 0; j < p.num_true; ++j) k.add_scaled(static_cast<T>(dz[j]), label_weights(j), n, out);
    return;
  }
  double* sum = worker_sums + worker * std::min(p.dim, kLongestRow);
  std::copy(out, out + n, sum);
  for (int64_t j = 0; j < p.num_true; ++j) {
    const T* weights = label_weights(j);
    for (int64_t i = 0; i < n; ++i) sum[i] += dz[j] * static_cast<double>(weights[i]);
  }
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(sum[i]);
}

#define INSTANTIATE(T)                                                       \
  template const T* Step<T>::input_rows(int64_t, T*) const;                  \
  template const T* Step<T>::input_row(int64_t, int64_t, int64_t, T*) const; \
  template void Step<T>::label_offsets(int64_t, int64_t, double*) const;     \
  template void Step<T>::find_true_logits(int64_t, int, const T*);           \
  template void Step<T>::exclude_hits(int64_t, int64_t, int64_t, T*) const;  \
  template void Step<T>::include_true_logits(int64_t, int);                  \
  template void Step<T>::finish_rows(int64_t, int);                          \
  template void Step<T>::finish_softmax_rows(int64_t, double*);              \
  template void Step<T>::start_rows(int64_t, int);                           \
  template void Step<T>::see_logits(int64_t, int64_t, int64_t, T*);          \
  template void Step<T>::activate(int64_t, int, int64_t, T*);                \
  template void Step<T>::clear_padding(int64_t, int64_t, int64_t, T*) const; \
  template void Step<T>::write_input_gradients(int64_t, int, const T*);      \
  template void Step<T>::add_true_classes(int64_t, const double*, int64_t, int64_t, int, T*) const;
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
