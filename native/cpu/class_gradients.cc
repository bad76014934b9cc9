// Gradients of class rows, beyond the sums over the columns: where columns are summed, the labels' own rows, rows
// that several slots share, and the biases.
//
// Slots (core/problem.h) are added to a shared row in the order of their numbers, by one owner, after what the columns
// have summed in place. In double: a class that is drawn a thousand times over would lose too much in float32.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/radix_sort.h"
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
  const RowGradients& g = p.weight_gradients;
  if (!g.values || !g.merged) return;
  constexpr int64_t kRows = 256;
  T* values = static_cast<T*>(g.values);
  parallel_for((g.num_rows + kRows - 1) / kRows, threads, [&](int64_t task, int) {
    const int64_t begin = task * kRows, end = std::min(g.num_rows, begin + kRows);
    std::memset(values + begin * p.dim, 0, static_cast<size_t>((end - begin) * p.dim) * sizeof(T));
  });
}

// The row of a label's gradient. In the full softmax it has no slot of its own: it adds to its class.
template <class T>
int64_t Step<T>::label_row(const RowGradients& g, int64_t label) const {
  const int64_t slot = full ? p.labels[label] : label;
  return g.slot_row ? g.slot_row[slot] : slot;
}

template <class T>
int64_t Step<T>::column_row(const RowGradients& g, int64_t column) const {
  const int64_t slot = full ? column : p.batch * p.num_true + column;
  return g.slot_row ? g.slot_row[slot] : slot;
}

template <class T>
void Step<T>::write_bias_gradients() {
  const RowGradients& g = p.bias_gradients;
  T* values = static_cast<T*>(g.values);
  const int64_t labels = p.batch * p.num_true;
  if (!g.merged && !full) {
    for (int64_t i = 0; i < labels; ++i) values[label_row(g, i)] = static_cast<T>(true_dz[i]);
    for (int64_t c = 0; c < p.num_sampled; ++c) values[column_row(g, c)] = static_cast<T>(column_bias_gradients[c]);
    return;
  }
  std::vector<double> totals(static_cast<size_t>(g.num_rows), 0.0);
  for (int64_t i = 0; i < labels; ++i) totals[static_cast<size_t>(label_row(g, i))] += true_dz[i];
  for (int64_t c = 0; c < p.num_sampled; ++c) totals[static_cast<size_t>(column_row(g, c))] += column_bias_gradients[c];
  for (int64_t r = 0; r < g.num_rows; ++r) values[r] = static_cast<T>(totals[static_cast<size_t>(r)]);
}

template <class T>
void Step<T>::write_label_gradients(int64_t strip, const T* rows) {
  const RowGradients& g = p.weight_gradients;
  if (!g.values || g.merged || full) return;
  const int64_t first = strip * NR, begin = first * p.num_true, end = begin + rows_of(strip) * p.num_true;
  for (int64_t i = begin; i < end; ++i) {
    k.scaled(static_cast<T>(true_dz[i]), rows + (i / p.num_true - first) * p.dim, p.dim,
             static_cast<T*>(g.values) + label_row(g, i) * p.dim);
  }
}

template <class T>
void Step<T>::finish_class_gradients(const T* unmerged) {
  if (p.weight_gradients.values && (p.weight_gradients.merged || full)) merge_class_gradients(unmerged);
  if (p.bias_gradients.values) write_bias_gradients();
}

template <class T>
void Step<T>::merge_class_gradients(const T* unmerged) {
  const RowGradients& g = p.weight_gradients;
  const int64_t labels = p.batch * p.num_true;
  std::vector<Keyed> order;  // slots by their rows
  order.reserve(static_cast<size_t>(labels + (unmerged ? p.num_sampled : 0)));
  for (int64_t i = 0; i < labels; ++i) order.push_back({label_row(g, i), i});
  for (int64_t c = 0; unmerged && c < p.num_sampled; ++c) order.push_back({column_row(g, c), labels + c});
  radix_sort(order);
  std::vector<size_t> starts;  // of the rows
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || order[i].key != order[i - 1].key) starts.push_back(i);
  }
  starts.push_back(order.size());
  constexpr int64_t kRows = 64;
  const int64_t rows = static_cast<int64_t>(starts.size()) - 1;
  parallel_for((rows + kRows - 1) / kRows, threads, [&](int64_t task, int worker) {
    double* sum = worker_sums + worker * p.dim;
    for (int64_t r = task * kRows; r < std::min(rows, (task + 1) * kRows); ++r) {
      const size_t begin = starts[static_cast<size_t>(r)], end = starts[static_cast<size_t>(r) + 1];
      T* out = static_cast<T*>(g.values) + order[begin].key * p.dim;
      std::copy(out, out + p.dim, sum);
      for (size_t i = begin; i < end; ++i) {
        const int64_t slot = order[i].item;
        const bool label = slot < labels;
        const T* row = label ? input_row(slot / p.num_true, room(worker)) : unmerged + (slot - labels) * p.dim;
        const double by = label ? true_dz[slot] : 1;
        for (int64_t d = 0; d < p.dim; ++d) sum[d] += by * static_cast<double>(row[d]);
      }
      for (int64_t d = 0; d < p.dim; ++d) out[d] = static_cast<T>(sum[d]);
    }
  });
}

#define INSTANTIATE(T)                                                      \
  template int64_t Step<T>::column_row(const RowGradients&, int64_t) const; \
  template bool Step<T>::sums_columns_apart() const;                        \
  template void Step<T>::clear_merged();                                    \
  template void Step<T>::write_label_gradients(int64_t, const T*);          \
  template void Step<T>::finish_class_gradients(const T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
