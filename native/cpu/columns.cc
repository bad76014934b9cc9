// Class rows: packed for the kernels, and the gradients that come back to them.
#include <algorithm>

#include "core/slot_order.h"
#include "cpu/blocks.h"
#include "cpu/class_rows.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {

template <class T>
void Step<T>::column_offsets(int64_t begin, int64_t count, T* out) const {
  constexpr int64_t kAtOnce = 64;
  for (int64_t first = 0; first < count; first += kAtOnce) {
    const int64_t n = std::min(kAtOnce, count - first);
    double log_q[kAtOnce] = {};
    if (p.subtract_log_q) {
      for (int64_t i = 0; i < n; ++i) log_q[i] = p.sampled_expected_count[begin + first + i];
      k.logs(log_q, n);
    }
    for (int64_t i = 0; i < n; ++i) {
      out[first + i] = static_cast<T>(read_bias(p.biases, class_of(begin + first + i)) - log_q[i]);
    }
  }
}

template <class T>
void Step<T>::tile_offsets(int64_t begin, int64_t count, int height, int64_t first, int64_t end, T* out) const {
  const int64_t c = first * height, most = (end - first) * height, n = std::clamp<int64_t>(count - c, 0, most);
  column_offsets(begin + c, n, out);
  std::fill(out + n, out + most, T(0));
}

template <class T>
void Step<T>::read_columns(int64_t begin, int64_t count, int height, int64_t tile, int worker, const T** rows) {
  const auto stored = [&](int64_t c) { return stored_row(p.weights, class_of(begin + c)); };
  // Asked for while this tile is packed.
  for (int64_t c = (tile + 1) * height; c < std::min((tile + 2) * height, count); ++c) prefetch_row(stored(c));
  for (int m = 0; m < height; ++m) {
    const int64_t c = tile * height + m;
    rows[m] = c < count ? read_row(k, stored(c), p.dim, room(worker) + m * p.dim) : nullptr;
  }
}

template <class T>
void Step<T>::pack_tiles(const Columns<T>& columns, int64_t begin, int64_t end, int worker) {
  // Those of the first tile, while the offsets are computed: a small step took 1.008 times as long without.
  for (int64_t c = begin * MR; c < std::min((begin + 1) * MR, columns.count); ++c) {
    prefetch_row(stored_row(p.weights, class_of(columns.begin + c)));
  }
  tile_offsets(columns.begin, columns.count, MR, begin, end, columns.offset + begin * MR);
  for (int64_t t = begin; t < end; ++t) {
    const T* rows[kMostColumnsPerTile];
    read_columns(columns.begin, columns.count, MR, t, worker, rows);
    k.pack_tile(rows, p.dim, columns.tiles + t * MR * p.dim);
  }
}

template <class T>
void Step<T>::pack_columns(const Columns<T>& columns) {
  const int64_t tiles = tiles_of(columns.count);
  parallel_pieces(tiles, threads_to_pack(tiles * MR * p.dim, threads), kMostTilesToPack, 1,
                  [&](int64_t begin, int64_t end, int worker) { pack_tiles(columns, begin, end, worker); });
}

template <class T>
void Step<T>::column_outputs(int64_t begin, int64_t count, T* weight_rows, T** out) const {
  const bool apart = sums_columns_apart();
  for (int64_t c = begin; c < begin + count; ++c) {
    out[c - begin] = weight_rows + (apart ? c - first_column : row_of_column(p, full, p.weight_gradients, c)) * p.dim;
  }
}

template <class T>
Touch Step<T>::column_output_lines(int64_t begin, int64_t count) const {
  const RowGradients& g = p.weight_gradients;
  if (g.merged || g.slot_row) return {};
  return lines_of_rows(g.values, row_of_column(p, full, g, begin), count);
}

template <class T>
void Step<T>::add_column_biases(int64_t begin, int64_t count, const double* sums, bool add) {
  double* total = column_bias_gradients + begin - first_bias;
  for (int64_t c = 0; c < count; ++c) total[c] = add ? total[c] + sums[c] : sums[c];
}

template <class T>
void Step<T>::add_column_gradients(const Columns<T>& columns, const T* e, int64_t strip_stride, int64_t first,
                                   int64_t n, const T* panels, int64_t panel_stride, T* weight_rows, bool add) {
  const auto sum_tiles = [&](int64_t t0, int64_t t1, int) {
    if (aborted()) return;
    const int64_t begin = t0 * MR, count = std::min(t1 * MR, columns.count) - begin;
    const T* et = e + begin * NR;
    if (weight_rows) {
      T* out[kMostColumnsPerTask];
      column_outputs(columns.begin + begin, count, weight_rows, out);
      k.class_gradients(et, strip_stride, count, rows_of(first, n), panels, panel_stride, p.dim, out, add, {});
    }
    if (column_bias_gradients) {
      double sums[kMostColumnsPerTask];
      k.column_sums(et, strip_stride, count, n, scale_of(first), sums);
      add_column_biases(columns.begin + begin, count, sums, first > 0);
    }
  };
  parallel_pieces(tiles_of(columns.count), threads, kMostTilesToSum, kFewestTilesToSum, sum_tiles);
}

#define INSTANTIATE(T)                                                                                          \
  template void Step<T>::column_offsets(int64_t, int64_t, T*) const;                                            \
  template void Step<T>::tile_offsets(int64_t, int64_t, int, int64_t, int64_t, T*) const;                       \
  template void Step<T>::read_columns(int64_t, int64_t, int, int64_t, int, const T**);                          \
  template void Step<T>::column_outputs(int64_t, int64_t, T*, T**) const;                                       \
  template Touch Step<T>::column_output_lines(int64_t, int64_t) const;                                          \
  template void Step<T>::add_column_biases(int64_t, int64_t, const double*, bool);                              \
  template void Step<T>::pack_tiles(const Columns<T>&, int64_t, int64_t, int);                                  \
  template void Step<T>::pack_columns(const Columns<T>&);                                                       \
  template void Step<T>::add_column_gradients(const Columns<T>&, const T*, int64_t, int64_t, int64_t, const T*, \
                                              int64_t, T*, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
