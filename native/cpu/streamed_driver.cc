// The driver for a catalogue too large to copy, or a sample too large to keep its logits. Columns are packed a block at
// a time. A first pass over the blocks finds the maximum and the sum of each row; where gradients are wanted a second
// one forms the logits again, and with them the probabilities and both gradients. Both for so many rows at a time as
// their state takes little memory: the columns are packed again for the next ones.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/blocks.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kColumnsBytes = 4 * kMiB, kMostColumns = 8192;
constexpr int64_t kLogitsBytes = 16 * kMiB, kMostRows = 512;  // of the second pass
constexpr int64_t kRowsAtHand = 16384;  // beside the products with so many, packing the columns counts nothing

template <class T>
struct Streamed {
  explicit Streamed(Step<T>& step);

  Step<T>& s;
  const SampledProblem& p;
  const int64_t dim, strip_size;  // elements of a packed strip
  const int64_t columns_per_block, strips_per_block;
  const int64_t columns_per_part;  // whose gradients' sums are at hand: whole blocks
  const int64_t strips_at_hand;    // whose state is
  int64_t end_strip = 0;           // of those at hand
  Columns<T> columns;
  T *worker_inputs = nullptr, *worker_logits = nullptr, *worker_transposed = nullptr, *worker_max = nullptr;
  T *e = nullptr, *panels = nullptr, *last_strip = nullptr, *unmerged = nullptr;

  Status plan();
  Status take_rows(int64_t first, int64_t end);
  bool one_part() const { return columns_per_part >= p.num_sampled; }
  // Of the biases, whose sums over several blocks of rows stay in double until the end.
  bool one_part_of_biases() const { return one_part() || strips_at_hand < s.strips(); }
  void for_each_block_of_columns(int64_t begin, int64_t end, void (Streamed::*work)());
  template <class F>
  void for_each_strip(F&& f) const;
  void sum_rows();       // of the block of columns, into max and sum
  void add_gradients();  // of the block of columns
  void gather_inputs(int64_t strip, int worker);
  T* transposed_sums(int64_t strip) const;
  void finish_input_gradients();
};

template <class T>
Streamed<T>::Streamed(Step<T>& step)
    : s(step),
      p(step.p),
      dim(p.dim),
      strip_size(step.NR * p.dim),
      columns_per_block(step.tiles_of(std::clamp<int64_t>(
                            kColumnsBytes / static_cast<int64_t>(sizeof(T)) / std::max<int64_t>(p.dim, 1), step.MR,
                            std::min(kMostColumns, std::max<int64_t>(p.num_sampled, step.MR)))) *
                        step.MR),
      strips_per_block(std::min(
          std::max<int64_t>(
              std::min(kLogitsBytes / (columns_per_block * static_cast<int64_t>(sizeof(T))), kMostRows) / step.NR, 1),
          std::max<int64_t>(step.strips(), 1))),
      columns_per_part(p.num_sampled <= kMostUses
                           ? p.num_sampled
                           : std::max(kMostUses / columns_per_block, int64_t{1}) * columns_per_block),
      strips_at_hand(std::clamp<int64_t>(std::min(kRowsAtHand, kMostLabels / p.num_true) / step.NR, 1,
                                         std::max<int64_t>(step.strips(), 1))) {}

template <class T>
Status Streamed<T>::plan() {
  const int NR = s.NR;
  Scratch& scratch = s.scratch;
  s.plan_rows(strips_at_hand, one_part_of_biases() ? p.num_sampled : columns_per_part, false);
  scratch.plan(columns.tiles, columns_per_block * dim + kTileSlack);
  scratch.plan(columns.offset, columns_per_block);
  scratch.plan(worker_inputs, s.threads * strip_size);
  scratch.plan(worker_logits, s.threads * (kColumnsAtATime + s.MR) * NR);
  scratch.plan(worker_max, s.threads * 2 * NR);
  if (s.wants_gradients) {
    scratch.plan(e, strips_per_block * columns_per_block * NR);
    scratch.plan(worker_transposed, s.threads * (dim + s.MR) * NR);
    scratch.plan(last_strip, strip_size);
    if (p.weight_gradients.values) scratch.plan(panels, s.padded_dim * strips_per_block * NR);
    if (p.weight_gradients.values && s.sums_columns_apart()) scratch.plan(unmerged, columns_per_part * dim);
  }
  return scratch.allocate();
}

template <class T>
void Streamed<T>::for_each_block_of_columns(int64_t begin, int64_t end, void (Streamed::*work)()) {
  for (columns.begin = begin; columns.begin < end && !s.aborted(); columns.begin += columns_per_block) {
    columns.count = std::min(columns_per_block, end - columns.begin);
    s.pack_columns(columns);
    (this->*work)();
  }
}

template <class T>
template <class F>
void Streamed<T>::for_each_strip(F&& f) const {
  parallel_for(end_strip - s.first_strip, s.threads, [&](int64_t q, int worker) { f(s.first_strip + q, worker); });
}

template <class T>
void Streamed<T>::gather_inputs(int64_t strip, int worker) {
  const T* rows = s.input_rows(strip, s.room(worker));
  s.k.pack_strip(rows, s.rows_of(strip), dim, worker_inputs + worker * strip_size);
}

// The maximum so far may rise with each block: what was summed before is scaled down to it.
template <class T>
void Streamed<T>::sum_rows() {
  const int MR = s.MR, NR = s.NR;
  const int64_t tiles = s.tiles_of(columns.count), step = kColumnsAtATime / MR;
  for_each_strip([&](int64_t strip, int worker) {
    if (s.aborted()) return;
    gather_inputs(strip, worker);
    T *z = worker_logits + worker * (kColumnsAtATime + MR) * NR, *before = worker_max + worker * 2 * NR;
    T* max = s.max_of(strip);
    double* sum = s.sum_of(strip);
    for (int64_t t = 0; t < tiles; t += step) {
      const int64_t count = std::min(step * MR, columns.count - t * MR);
      s.k.logits(columns.tiles + t * MR * dim, count, worker_inputs + worker * strip_size, s.rows_of(strip), dim,
                 columns.offset + t * MR, z, {});
      s.exclude_hits(strip, columns.begin + t * MR, count, z);
      if (p.loss == Loss::logistic) {
        s.k.logistic(z, count, sum);
        continue;
      }
      std::copy(max, max + NR, before);
      s.k.row_max(z, count, max);
      T* base = before + NR;  // what is subtracted: 0 where all logits so far are left out or NaN
      for (int r = 0; r < NR; ++r) {
        base[r] = max[r] == -std::numeric_limits<T>::infinity() ? T(0) : max[r];
        if (max[r] != before[r]) sum[r] *= std::exp(static_cast<double>(before[r]) - static_cast<double>(max[r]));
      }
      s.k.exponentials(z, count, base, sum);
    }
  });
}

// Where the strip's input gradients are summed, transposed: its part of the output, or, for a strip of too few rows to
// have room there, one of our own.
template <class T>
T* Streamed<T>::transposed_sums(int64_t strip) const {
  return s.rows_of(strip) == s.NR ? static_cast<T*>(p.input_gradients) + strip * strip_size : last_strip;
}

template <class T>
void Streamed<T>::add_gradients() {
  const int NR = s.NR;
  const int64_t tiles = s.tiles_of(columns.count), stride = tiles * s.MR * NR,
                panel_stride = strips_per_block * NR * NR;
  const int64_t sums_from = one_part() ? 0 : s.first_strip;  // the first strip in the columns' unmerged sums
  for (int64_t first = s.first_strip; first < end_strip; first += strips_per_block) {
    const int64_t n = std::min(strips_per_block, end_strip - first);
    parallel_for(n, s.threads, [&](int64_t q, int worker) {
      if (s.aborted()) return;
      const int64_t strip = first + q;
      T* z = e + q * stride;
      gather_inputs(strip, worker);
      s.k.logits(columns.tiles, columns.count, worker_inputs + worker * strip_size, s.rows_of(strip), dim,
                 columns.offset, z, {});
      s.exclude_hits(strip, columns.begin, columns.count, z);
      double ignored[kMostRowsPerStrip] = {0};
      if (p.loss == Loss::logistic) s.k.logistic(z, columns.count, ignored);
      else s.k.exponentials(z, columns.count, s.max_of(strip), ignored);
      s.clear_padding(strip, columns.count, tiles * s.MR, z);
      if (panels) {
        s.k.pack_panels(s.input_rows(strip, s.room(worker)), s.rows_of(strip), dim, s.scale_of(strip),
                        panels + q * NR * NR, panel_stride);
      }
      if (!p.input_gradients) return;
      T* part = worker_transposed + worker * (dim + s.MR) * NR;
      s.k.input_gradients(columns.tiles, columns.count, z, s.rows_of(strip), dim, part, false, {});
      s.k.add_scaled(T(1), part, strip_size, transposed_sums(strip));
    });
    if (s.aborted()) return;
    T* weight_rows = unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values);
    if (!weight_rows && !s.column_bias_gradients) continue;
    s.add_column_gradients(columns, e, stride, first, n, panels, panel_stride, weight_rows,
                           unmerged ? first > sums_from : first > 0 || p.weight_gradients.merged);
  }
}

template <class T>
void Streamed<T>::finish_input_gradients() {
  for_each_strip([&](int64_t strip, int worker) {
    T* copy = worker_transposed + worker * (dim + s.MR) * s.NR;
    const T* total = transposed_sums(strip);
    std::copy(total, total + strip_size, copy);
    s.write_input_gradients(strip, worker, copy);
  });
}

// All that there is to do for the strips [first, end), but what remains of the class gradients.
template <class T>
Status Streamed<T>::take_rows(int64_t first, int64_t end) {
  s.first_strip = first, end_strip = end;
  for_each_strip([&](int64_t strip, int worker) {
    s.find_true_logits(strip, worker, s.input_rows(strip, s.room(worker)));
    s.start_rows(strip, worker);
  });
  for_each_block_of_columns(0, p.num_sampled, &Streamed::sum_rows);
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  for_each_strip([&](int64_t strip, int worker) {
    s.finish_rows(strip, worker);
    if (s.wants_gradients) s.write_label_gradients(strip, worker, s.input_rows(strip, s.room(worker)));
  });
  if (!s.wants_gradients) return {};
  for (int64_t strip = first; strip < end && p.input_gradients; ++strip) {
    std::fill_n(transposed_sums(strip), strip_size, T(0));
  }
  const int64_t labels = s.uses() - p.num_sampled;
  for (s.first_column = 0; s.first_column < p.num_sampled; s.first_column += columns_per_part) {
    const int64_t last = std::min(s.first_column + columns_per_part, p.num_sampled);
    s.first_bias = one_part_of_biases() ? 0 : s.first_column;
    for_each_block_of_columns(s.first_column, last, &Streamed::add_gradients);
    if (s.aborted()) return Status::error(Code::aborted, "aborted");
    if (!one_part()) s.finish_weight_gradients(labels + s.first_column, labels + last, unmerged);
    if (!one_part_of_biases()) s.finish_bias_gradients(labels + s.first_column, labels + last);
  }
  s.first_column = s.first_bias = 0;
  if (p.input_gradients) finish_input_gradients();
  return {};
}

}  // namespace

template <class T>
Status run_streamed(Step<T>& s) {
  Streamed<T> streamed(s);
  if (Status status = streamed.plan(); !status.ok()) return status;
  s.clear_merged();
  for (int64_t first = 0; first < s.strips(); first += streamed.strips_at_hand) {
    const int64_t end = std::min(first + streamed.strips_at_hand, s.strips());
    if (Status status = streamed.take_rows(first, end); !status.ok()) return status;
    s.finish_labels(end);
  }
  const int64_t labels = s.uses() - s.p.num_sampled;
  s.finish_weight_gradients(s.first_label, streamed.one_part() ? s.uses() : labels, streamed.unmerged);
  s.finish_bias_gradients(s.first_label, streamed.one_part_of_biases() ? s.uses() : labels);
  return {};
}

template Status run_streamed(Step<float>&);
template Status run_streamed(Step<double>&);

}  // namespace sampled_softmax
