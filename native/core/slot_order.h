// Slots (core/problem.h) by the output rows that they add to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/problem.h"
#include "core/radix_sort.h"
#include "core/views.h"

namespace sampled_softmax {

template <class Item, class RowOf>
void sort_slots(RowOf&& row_of, IdVector& order) {
  std::vector<Item> keyed(order.size());
  for (size_t k = 0; k < keyed.size(); ++k) {
    keyed[k].key = static_cast<decltype(Item::key)>(row_of(static_cast<int64_t>(k)));
    keyed[k].item = static_cast<decltype(Item::item)>(k);
  }
  sort_by_key(keyed);
  for (size_t i = 0; i < keyed.size(); ++i) order.set(i, static_cast<int64_t>(keyed[i].item));
}

// Slots [0, slots) by row_of(slot), which is in [0, rows); those of one row in their own order.
template <class RowOf>
IdVector slots_by_row(int64_t slots, int64_t rows, RowOf&& row_of) {
  IdVector order(static_cast<size_t>(slots), slots > INT32_MAX);
  if (rows > 2 * slots) {
    if (rows <= kNarrowKeys && slots <= kNarrowKeys) sort_slots<NarrowKeyed>(row_of, order);
    else sort_slots<Keyed>(row_of, order);
    return order;
  }
  IdVector next(static_cast<size_t>(rows) + 1, slots > INT32_MAX);  // place of each row's next slot
  for (int64_t k = 0; k < slots; ++k) {
    const size_t after = static_cast<size_t>(row_of(k)) + 1;
    next.set(after, next[after] + 1);
  }
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) next.set(r + 1, next[r + 1] + next[r]);
  for (int64_t k = 0; k < slots; ++k) {
    const size_t row = static_cast<size_t>(row_of(k));
    order.set(static_cast<size_t>(next[row]), k);
    next.set(row, next[row] + 1);
  }
  return order;
}

// The output row of a slot.
static inline int64_t row_of_slot(const RowGradients& g, int64_t slot) { return g.slot_row ? g.slot_row[slot] : slot; }

// Labels first, then the columns: where label i * T + j, and column c, add to. In the full softmax a label has no slot
// of its own: it adds to its class.
static inline int64_t row_of_label(const SampledProblem& p, bool full, const RowGradients& g, int64_t label) {
  return row_of_slot(g, full ? p.labels[label] : label);
}
static inline int64_t row_of_column(const SampledProblem& p, bool full, const RowGradients& g, int64_t column) {
  return row_of_slot(g, full ? column : p.batch * p.num_true + column);
}
static inline int64_t row_of_use(const SampledProblem& p, bool full, const RowGradients& g, int64_t use) {
  const int64_t labels = p.batch * p.num_true;
  return use < labels ? row_of_label(p, full, g, use) : row_of_column(p, full, g, use - labels);
}

}  // namespace sampled_softmax
