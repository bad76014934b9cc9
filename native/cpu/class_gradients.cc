// Gradients of class rows, beyond the sums over the columns: where columns are summed, the labels' own rows, rows
// that several slots share, and the biases.
//
// Slots (core/problem.h) are added to a shared row in the order of their numbers, by one owner, after what the columns
// have summed in place. In double: a class that is drawn a thousand times over would lose too much in float32.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/slot_order.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {

// Where two sampled columns share a row, they may not be summed in place: they would have two owners.
template <class T>
bool Step<T>::sums_columns_apart() const {
  return p.weight_gradients.merged && !p.weight_gradients.sampled_distinct;
}

// Rows of a merged gradient may have no slot at all, or labels alone.
template <class T>
void Step<T>::clear_merged() {
  const RowGradients &g = p.weight_gradients, &biases = p.bias_gradients;
  if (biases.values && (biases.merged || full)) std::fill_n(static_cast<T*>(biases.values), biases.num_rows, T(0));
  if (!g.values || !g.merged) return;
  constexpr int64_t kRows = 256;
  T* values = static_cast<T*>(g.values);
  parallel_for((g.num_rows + kRows - 1) / kRows, threads, [&](int64_t task, int) {
    const int64_t begin = task * kRows, end = std::min(g.num_rows, begin + kRows);
    std::memset(values + begin * p.dim, 0, static_cast<size_t>((end - begin) * p.dim) * sizeof(T));
  });
}

template <class T>
void Step<T>::write_bias_gradients(int64_t first, int64_t last) {
  const RowGradients& g = p.bias_gradients;
  T* values = static_cast<T*>(g.values);
  const int64_t labels = p.batch * p.num_true;
  const double* column_sums = column_bias_gradients - first_bias;
  if (!g.merged && !full) {
    for (int64_t use = std::max(first, labels); use < last; ++use)
      values[row_of_use(p, full, g, use)] = static_cast<T>(column_sums[use - labels]);
    return;
  }
  const IdVector order =
      slots_by_row(last - first, g.num_rows, [&](int64_t i) { return row_of_use(p, full, g, first + i); });
  const auto use_at = [&](int64_t i) { return first + order[static_cast<size_t>(i)]; };
  const auto row_at = [&](int64_t i) { return row_of_use(p, full, g, use_at(i)); };
  for (int64_t i = 0; i < last - first;) {
    const int64_t row = row_at(i);
    double total = static_cast<double>(values[row]);
    for (; i < last - first && row_at(i) == row; ++i) {
      const int64_t use = use_at(i);
      total += use < labels ? all_true_terms[use - first_label] : column_sums[use - labels];
    }
    values[row] = static_cast<T>(total);
  }
}

template <class T>
void Step<T>::write_label_rows(int64_t strip, int worker, const T* rows, int64_t d, int64_t n) {
  const RowGradients& g = p.weight_gradients;
  if (full || !g.values || g.merged) return;
  const double* dz = true_terms(strip, worker);
  const int64_t first = strip * NR, end = first + rows_of(strip);
  for (int64_t r = first; r < end; ++r, rows += n) {
    for (int64_t i = r * p.num_true; i < (r + 1) * p.num_true; ++i) {
      k.scaled(static_cast<T>(*dz++), rows, n, static_cast<T*>(g.values) + row_of_label(p, full, g, i) * p.dim + d);
    }
  }
}

template <class T>
void Step<T>::write_label_biases(int64_t strip, int worker) {
  const RowGradients& g = p.bias_gradients;
  if (full || !g.values || g.merged) return;
  const int64_t begin = strip * NR * p.num_true, count = rows_of(strip) * p.num_true;
  const double* dz = true_terms(strip, worker);
  for (int64_t i = 0; i < count; ++i) {
    static_cast<T*>(g.values)[row_of_label(p, full, g, begin + i)] = static_cast<T>(dz[i]);
  }
}

template <class T>
void Step<T>::write_label_gradients(int64_t strip, int worker, const T* rows) {
  write_label_rows(strip, worker, rows, 0, p.dim);
  write_label_biases(strip, worker);
}

template <class T>
void Step<T>::finish_labels(int64_t strip) {
  const int64_t end = std::min(strip * NR, p.batch) * p.num_true;
  if (end - first_label < kMostUses) return;
  finish_class_gradients(first_label, end, nullptr);
  first_label = end;
}

template <class T>
void Step<T>::finish_class_gradients(int64_t first, int64_t last, const T* unmerged) {
  finish_weight_gradients(first, last, unmerged);
  finish_bias_gradients(first, last);
}

template <class T>
void Step<T>::finish_weight_gradients(int64_t first, int64_t last, const T* unmerged) {
  if (!p.weight_gradients.values || !(p.weight_gradients.merged || full)) return;
  for (; first < last; first += kMostUses) merge_class_gradients(first, std::min(first + kMostUses, last), unmerged);
}

template <class T>
void Step<T>::finish_bias_gradients(int64_t first, int64_t last) {
  if (!p.bias_gradients.values) return;
  for (; first < last; first += kMostUses) write_bias_gradients(first, std::min(first + kMostUses, last));
}

template <class T>
void Step<T>::merge_class_gradients(int64_t first, int64_t last, const T* unmerged) {
  const RowGradients& g = p.weight_gradients;
  const int64_t labels = p.batch * p.num_true;
  const int64_t uses = (unmerged ? last : std::min(last, labels)) - first;
  if (uses <= 0) return;
  const IdVector order = slots_by_row(uses, g.num_rows, [&](int64_t i) { return row_of_use(p, full, g, first + i); });
  const auto use_at = [&](int64_t i) { return first + order[static_cast<size_t>(i)]; };
  const auto row_at = [&](int64_t i) { return row_of_use(p, full, g, use_at(i)); };
  constexpr int64_t kUses = 64;  // a task has the rows that begin among these
  parallel_for((uses + kUses - 1) / kUses, threads, [&](int64_t task, int worker) {
    const int64_t end = std::min(uses, (task + 1) * kUses);
    double* sum = worker_sums + worker * std::min(p.dim, kLongestRow);
    int64_t i = task * kUses;
    while (i > 0 && i < end && row_at(i) == row_at(i - 1)) ++i;
    while (i < end) {
      const int64_t row = row_at(i);
      const int64_t begin = i;
      while (i < uses && row_at(i) == row) ++i;
      for (int64_t d0 = 0; d0 < p.dim; d0 += kLongestRow) {
        const int64_t n = std::min(kLongestRow, p.dim - d0);
        T* out = static_cast<T*>(p.weight_gradients.values) + row * p.dim + d0;
        std::copy(out, out + n, sum);
        for (int64_t j = begin; j < i; ++j) {
          const int64_t use = use_at(j), column = use - labels - first_column;
          const bool label = use < labels;
          const T* x = label ? input_row(use / p.num_true, d0, n, room(worker)) : unmerged + column * p.dim + d0;
          const double by = label ? all_true_terms[use - first_label] : 1;
          for (int64_t d = 0; d < n; ++d) sum[d] += by * static_cast<double>(x[d]);
        }
        for (int64_t d = 0; d < n; ++d) out[d] = static_cast<T>(sum[d]);
      }
    }
  });
}

#define INSTANTIATE(T)                                                               \
  template bool Step<T>::sums_columns_apart() const;                                 \
  template void Step<T>::clear_merged();                                             \
  template void Step<T>::write_label_rows(int64_t, int, const T*, int64_t, int64_t); \
  template void Step<T>::write_label_biases(int64_t, int);                           \
  template void Step<T>::write_label_gradients(int64_t, int, const T*);              \
  template void Step<T>::finish_labels(int64_t);                                     \
  template void Step<T>::finish_class_gradients(int64_t, int64_t, const T*);         \
  template void Step<T>::finish_weight_gradients(int64_t, int64_t, const T*);        \
  template void Step<T>::finish_bias_gradients(int64_t, int64_t);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
