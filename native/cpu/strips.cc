#include "cpu/strips.h"

#include <algorithm>
#include <limits>

#include "cpu/blocks.h"

namespace sampled_softmax {
namespace {

// Columns whose logits are exponentials, and in the input gradients, before the next ones come: they are in the L2
// cache with their class rows, which serve all strips at hand.
template <class T>
int64_t columns_per_block(int64_t dim) {
  constexpr int64_t kTiles = 512 * 1024, kMost = 4;
  const int64_t part = kColumnsAtATime * std::max<int64_t>(dim, 1) * static_cast<int64_t>(sizeof(T));
  return std::clamp<int64_t>(kTiles / part, 1, kMost) * kColumnsAtATime;
}

// What write_input_gradients and write_label_gradients write of a strip, where that is one piece.
template <class T>
Touch input_gradient_lines(const Step<T>& s, int64_t strip) {
  return s.lines_of_rows(s.p.input_gradients, strip * s.NR, s.rows_of(strip));
}
template <class T>
Touch label_gradient_lines(const Step<T>& s, int64_t strip) {
  const RowGradients& g = s.p.weight_gradients;
  if (s.full || g.merged || g.slot_row) return {};
  return s.lines_of_rows(g.values, strip * s.NR * s.p.num_true, s.rows_of(strip) * s.p.num_true);
}

// What the rows' exponentials are relative to: the largest logit when it was last moved. It is moved again where one is
// more than kBehind above it: as a rule never after the first columns.
template <class T>
struct Base {
  static constexpr T kBehind = 16, kNone = -std::numeric_limits<T>::infinity();
  T at[kMostRowsPerStrip], below[kMostRowsPerStrip];  // below: 0 where all logits so far are left out or NaN

  void move(int r, T largest) {
    at[r] = largest;
    below[r] = largest == kNone ? T(0) : largest;
  }
  bool is_far_behind(const T* largest, int rows) const {
    bool far = false;
    for (int r = 0; r < rows; ++r) far |= largest[r] > at[r] + kBehind;
    return far;
  }
};

// From the logits of columns [begin, begin + count) of a strip, z, to their exponentials, added to its sums. Where the
// base moves, what counts against it already is scaled down: the sums, the input gradients' sums [D][NR], unless null,
// and e of the columns before, which begins at `e`, unless null.
template <class T>
void take_logits(Step<T>& s, int64_t strip, int64_t begin, int64_t count, T* z, Base<T>& base, T* e, T* input_sums) {
  s.see_logits(strip, begin, count, z);
  if (s.p.loss == Loss::logistic) return s.k.logistic(z, count, s.sum_of(strip));
  const T* largest = s.max_of(strip);
  if (begin == 0) {
    for (int r = 0; r < s.NR; ++r) base.move(r, largest[r]);
  } else if (base.is_far_behind(largest, s.NR)) {
    T factor[kMostRowsPerStrip];
    for (int r = 0; r < s.NR; ++r) {
      const double by = largest[r] > base.at[r] + Base<T>::kBehind ? share_of(base.at[r], largest[r]) : 1;
      factor[r] = static_cast<T>(by);
      s.sum_of(strip)[r] *= by;
      if (by != 1) base.move(r, largest[r]);
    }
    const auto scale = [&](T* x, int64_t n) {
      for (int64_t i = 0; x && i < n; ++i, x += s.NR) {
        for (int r = 0; r < s.NR; ++r) x[r] *= factor[r];
      }
    };
    scale(e, begin);
    scale(input_sums, s.p.dim);
  }
  s.k.exponentials(z, count, base.below, s.sum_of(strip));
}

// Of a strip whose sums and exponentials are relative to `base`.
template <class T>
void finish_rows(Step<T>& s, int64_t strip, int worker, const Base<T>& base) {
  if (s.p.loss == Loss::softmax && s.p.numerics == Numerics::stable && !s.full) {
    // No true logit is above its row's base.
    std::copy(base.at, base.at + s.NR, s.max_of(strip));
    return s.finish_rows(strip, worker);
  }
  double share[kMostRowsPerStrip];
  for (int r = 0; r < s.NR; ++r) {
    share[r] = s.p.loss == Loss::softmax ? share_of(base.at[r], s.max_of(strip)[r]) : 1;
    s.sum_of(strip)[r] *= share[r];
  }
  s.finish_rows(strip, worker);
  for (int r = 0; r < s.NR; ++r) s.scale_of(strip)[r] *= share[r];
}

}  // namespace

template <class T>
int64_t e_stride(const Step<T>& s) {
  const int64_t all = s.tiles_of(s.p.num_sampled) * s.MR;
  return (s.wants_gradients ? all : std::min(all, columns_per_block<T>(s.p.dim))) * s.NR;
}

template <class T>
void process_strips(Step<T>& s, const Columns<T>& columns, int64_t first, int64_t count, int worker,
                    const WorkerRooms<T>& rooms, T* e, T* panels, int64_t panel_stride) {
  const int MR = s.MR, NR = s.NR;
  const int64_t dim = s.p.dim, stride = e_stride(s);
  const int64_t sums_size = (dim + MR) * NR;
  T* packed_inputs = rooms.inputs + worker * rooms.inputs_size;
  T* input_sums = rooms.transposed ? rooms.transposed + worker * rooms.transposed_size : nullptr;
  if (input_sums && columns.count == 0) std::fill(input_sums, input_sums + count * sums_size, T(0));
  Base<T> base[kMostTogether];
  for (int64_t q = 0; q < count; ++q) {
    const T* rows = s.input_rows(first + q, s.room(worker));
    s.k.pack_strip(rows, s.rows_of(first + q), dim, packed_inputs + q * NR * dim);
    s.find_true_logits(first + q, worker, rows);
    s.start_rows(first + q, worker);
  }
  const auto finish_strip = [&](int64_t q) {
    const int64_t strip = first + q;
    finish_rows(s, strip, worker, base[q]);
    if (!s.wants_gradients) return;
    s.clear_padding(strip, columns.count, s.tiles_of(columns.count) * MR, e + q * stride);
    const T* rows = s.input_rows(strip, s.room(worker));
    if (panels) s.k.pack_panels(rows, s.rows_of(strip), dim, s.scale_of(strip), panels + q * NR * NR, panel_stride);
    s.write_label_gradients(strip, worker, rows);
  };
  const int64_t block = columns_per_block<T>(dim);
  for (int64_t begin = 0; begin == 0 || begin < columns.count; begin += block) {
    const int64_t end = std::min(begin + block, columns.count), kept_from = s.wants_gradients ? 0 : begin;
    const auto e_of = [&](int64_t q, int64_t c) { return e + q * stride + (c - kept_from) * NR; };
    const auto each_part = [&](auto&& f) {
      for (int64_t c = begin; c < end; c += kColumnsAtATime) {
        for (int64_t q = 0; q < count; ++q) f(q, c, std::min(kColumnsAtATime, end - c), e_of(q, c));
      }
    };
    each_part([&](int64_t q, int64_t c, int64_t n, T* z) {
      s.k.logits(columns.tiles + c * dim, n, packed_inputs + q * NR * dim, s.rows_of(first + q), dim,
                 columns.offset + c, z, c + n == columns.count ? label_gradient_lines(s, first + q) : Touch{});
    });
    for (int64_t q = 0; q < count; ++q) {
      take_logits(s, first + q, begin, end - begin, e_of(q, begin), base[q], s.wants_gradients ? e_of(q, 0) : nullptr,
                  input_sums ? input_sums + q * sums_size : nullptr);
      if (end == columns.count) finish_strip(q);
    }
    if (!input_sums) continue;
    each_part([&](int64_t q, int64_t c, int64_t n, const T* eq) {
      s.k.input_gradients(columns.tiles + c * dim, n, eq, s.rows_of(first + q), dim, input_sums + q * sums_size, c > 0,
                          c + n == columns.count ? input_gradient_lines(s, first + q) : Touch{});
    });
  }
  for (int64_t q = 0; q < count && input_sums; ++q) {
    s.write_input_gradients(first + q, worker, input_sums + q * sums_size);
  }
}

#define INSTANTIATE(T)                                                                                            \
  template int64_t e_stride(const Step<T>&);                                                                      \
  template void process_strips(Step<T>&, const Columns<T>&, int64_t, int64_t, int, const WorkerRooms<T>&, T*, T*, \
                               int64_t);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

}  // namespace sampled_softmax
