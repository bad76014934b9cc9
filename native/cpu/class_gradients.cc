// Gradients of class rows, beyond the sums over the columns: where columns are summed, the labels' own rows, rows
// that several slots share, and the biases.
//
// Slots (core/problem.h) are added to a shared row in the order of their numbers, by one owner, after what the columns
// have summed in place.
#include <algorithm>
#include <cstring>
#include <vector>

#include "core/radix_sort.h"
#include "cpu/class_rows.h"
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
Status Step<T>::finish_class_gradients(const T* unmerged) {
  const int64_t labels = p.batch * p.num_true;
  if (p.weight_gradients.values) {
    const RowGradients& g = p.weight_gradients;
    T* values = static_cast<T*>(g.values);
    Scratch rooms;
    T* room = nullptr;
    rooms.plan(room, threads * p.dim);
    if (Status status = rooms.allocate(); !status.ok()) return status;
    const auto input_row = [&](int64_t i, int worker) {
      const StoredRow row{static_cast<const char*>(p.inputs) + static_cast<size_t>(i * p.dim) * size_of(p.inputs_dtype),
                          p.inputs_dtype};
      return read_row(k, row, p.dim, room + worker * p.dim);
    };
    if (!g.merged && !full) {
      constexpr int64_t kSlots = 64;
      parallel_for((labels + kSlots - 1) / kSlots, threads, [&](int64_t task, int worker) {
        for (int64_t s = task * kSlots; s < std::min(labels, (task + 1) * kSlots); ++s) {
          k.scaled(static_cast<T>(true_dz[s]), input_row(s / p.num_true, worker), p.dim,
                   values + label_row(g, s) * p.dim);
        }
      });
    } else {
      std::vector<Keyed> order;
      order.reserve(static_cast<size_t>(labels + (unmerged ? p.num_sampled : 0)));
      for (int64_t s = 0; s < labels; ++s) order.push_back({label_row(g, s), s});
      if (unmerged) {
        for (int64_t c = 0; c < p.num_sampled; ++c) order.push_back({column_row(g, c), labels + c});
      }
      radix_sort(order);
      std::vector<size_t> starts;  // of the rows
      for (size_t i = 0; i < order.size(); ++i) {
        if (i == 0 || order[i].key != order[i - 1].key) starts.push_back(i);
      }
      starts.push_back(order.size());
      constexpr int64_t kRows = 64;
      const int64_t rows = static_cast<int64_t>(starts.size()) - 1;
      parallel_for((rows + kRows - 1) / kRows, threads, [&](int64_t task, int worker) {
        for (int64_t r = task * kRows; r < std::min(rows, (task + 1) * kRows); ++r) {
          for (size_t i = starts[static_cast<size_t>(r)]; i < starts[static_cast<size_t>(r) + 1]; ++i) {
            const auto [row, slot] = order[i];
            T* out = values + row * p.dim;
            if (slot < labels)
              k.add_scaled(static_cast<T>(true_dz[slot]), input_row(slot / p.num_true, worker), p.dim, out);
            else k.add_scaled(T(1), unmerged + (slot - labels) * p.dim, p.dim, out);
          }
        }
      });
    }
  }
  if (p.bias_gradients.values) write_bias_gradients();
  return {};
}

#define INSTANTIATE(T)                                                      \
  template int64_t Step<T>::column_row(const RowGradients&, int64_t) const; \
  template bool Step<T>::sums_columns_apart() const;                        \
  template void Step<T>::clear_merged();                                    \
  template Status Step<T>::finish_class_gradients(const T*);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
