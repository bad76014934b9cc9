// Class rows: packed for the kernels, and the gradients that come back to them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/class_rows.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

// A share of `tiles` tiles for each of `threads` threads, several to a thread so that they end together.
int64_t tiles_per_task(int64_t tiles, int threads, int64_t most) {
  return std::max<int64_t>(1, std::min(most, tiles / (threads * 4)));
}

}  // namespace

template <class T>
void Step<T>::pack_columns(Columns<T>& columns) {
  const int64_t tiles = tiles_of(columns.count), share = tiles_per_task(tiles, threads, 32);
  parallel_for((tiles + share - 1) / share, threads, [&](int64_t task, int worker) {
    const int64_t end = std::min(tiles, (task + 1) * share);
    const auto stored = [&](int64_t c) { return stored_row(p.weights, class_of(columns.begin + c)); };
    const auto prefetch = [&](int64_t tile) {
      for (int64_t c = tile * MR; c < std::min((tile + 1) * MR, columns.count); ++c) prefetch_row(stored(c), p.dim);
    };
    prefetch(task * share);
    for (int64_t t = task * share; t < end; ++t) {
      if (t + 1 < end) prefetch(t + 1);
      const T* rows[16] = {};
      for (int m = 0; m < MR; ++m) {
        const int64_t c = t * MR + m;
        columns.offset[c] = 0;
        if (c >= columns.count) continue;
        rows[m] = read_row(k, stored(c), p.dim, room(worker) + m * p.dim);
        double offset = read_bias(p.biases, class_of(columns.begin + c));
        if (p.subtract_log_q) offset -= std::log(p.sampled_expected_count[columns.begin + c]);
        columns.offset[c] = static_cast<T>(offset);
      }
      k.pack_tile(rows, p.dim, columns.tiles + t * MR * p.dim);
    }
  });
}

template <class T>
void Step<T>::add_column_gradients(const Columns<T>& columns, const T* e, int64_t strip_stride, int64_t first,
                                   int64_t n, const T* panels, int64_t panel_stride, T* weight_rows, bool add) {
  const int64_t tiles = tiles_of(columns.count), share = tiles_per_task(tiles, threads, 16);
  const bool apart = sums_columns_apart();
  parallel_for((tiles + share - 1) / share, threads, [&](int64_t task, int) {
    if (aborted()) return;
    const int64_t t0 = task * share, t1 = std::min(tiles, t0 + share);
    const T* et = e + t0 * MR * NR;
    if (weight_rows) {
      T* out[16 * 32];
      for (int64_t c = t0 * MR; c < t1 * MR; ++c) {
        out[c - t0 * MR] = nullptr;
        if (c >= columns.count) continue;
        const int64_t column = columns.begin + c;
        out[c - t0 * MR] = weight_rows + (apart ? column : column_row(p.weight_gradients, column)) * p.dim;
      }
      k.class_gradients(et, strip_stride, t1 - t0, n, panels, panel_stride, p.dim, out, add);
    }
    if (column_bias_gradients) {
      const int64_t c0 = t0 * MR, count = std::min(t1 * MR, columns.count) - c0;
      double sums[16 * 32];
      k.column_sums(et, strip_stride, count, n, scale + first * NR, sums);
      double* total = column_bias_gradients + columns.begin + c0;
      for (int64_t c = 0; c < count; ++c) total[c] = first ? total[c] + sums[c] : sums[c];
    }
  });
}

#define INSTANTIATE(T)                                                                                              \
  template void Step<T>::pack_columns(Columns<T>&);                                                                 \
  template void Step<T>::add_column_gradients(const Columns<T>&, const T*, int64_t, int64_t, int64_t, const T*, int64_t, T*, \
                                              bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
