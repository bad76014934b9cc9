// One call on its way through the CPU backend: the problem, the kernels, and the state of its rows. The drivers share
// what is here; they differ in how many class rows they hold at a time.
//
// The full softmax is a sampled one whose columns are all classes, and whose true logits do not count beside them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "core/problem.h"
#include "core/status.h"
#include "cpu/blocks.h"
#include "cpu/hits.h"
#include "cpu/kernels/kernels.h"
#include "cpu/scratch.h"

namespace sampled_softmax {

constexpr int kMostRowsPerStrip = 64;  // of any instruction set

// What an exponential less `part` counts among those less `whole`.
template <class T>
double share_of(T part, T whole) {
  return part == whole ? 1 : std::exp(static_cast<double>(part) - static_cast<double>(whole));
}

// Class rows packed for the kernels, and what is added to their logits.
template <class T>
struct Columns {
  int64_t begin = 0, count = 0;  // columns of the problem; packed up to whole tiles
  T* tiles = nullptr;            // [tiles][D][MR] + kTileSlack
  T* offset = nullptr;           // [tiles * MR] bias - log(expected count)
};

template <class T>
struct Step {
  // Of a row: the part of more in its gradient is summed in double.
  static constexpr int64_t kFewLabels = 8;

  Step(const SampledProblem& problem, bool full, int threads);

  const SampledProblem& p;
  const bool full;  // p.sampled is null: column c is class c
  const Kernels<T>& k;
  const int MR, NR;
  const int64_t padded_dim;  // dims rounded up to whole panels
  const bool wants_gradients;
  const int threads;
  const Hits hits;
  Scratch scratch;

  // What is at hand of the rows' state, of the labels' gradients and of the columns' sums begins with these; a driver
  // that has not all of them moves on from block to block.
  int64_t first_strip = 0, first_label = 0, first_column = 0;
  int64_t first_bias = 0;  // column whose bias is

  // State of the rows, [strips * NR] each; filled by the drivers.
  T* max = nullptr;
  double* sum = nullptr;
  double* scale = nullptr;
  double* column_bias_gradients = nullptr;  // sums of the columns; null where biases want none
  // Of rows, up to kLongestRow dims.
  T* worker_rows = nullptr;  // [threads][max(NR + 1, MR)][D] converted rows; a strip's, then a label's
  int64_t worker_rows_size = 0;
  double* worker_sums = nullptr;  // [threads][D], where rows are merged or have many labels
  // Logits of the true classes, then their gradients: a worker's own, [threads][kMostTogether][NR * T], for the strips
  // that it has at hand. Those of all labels at hand where they outlast their strip, or are fewer.
  // In double: a bias's gradient may be what little is left of large terms.
  double *worker_true_terms = nullptr, *all_true_terms = nullptr;

  int64_t strips() const { return (p.batch + NR - 1) / NR; }
  int64_t uses() const { return p.batch * p.num_true + p.num_sampled; }  // of class rows: by labels, then by columns
  int64_t rows_of(int64_t strip, int64_t count = 1) const { return std::min(p.batch - strip * NR, count * NR); }
  int64_t tiles_of(int64_t columns) const { return (columns + MR - 1) / MR; }
  int64_t class_of(int64_t column) const { return p.sampled ? p.sampled[column] : column; }
  double upstream(int64_t row) const { return p.upstream_scale * (p.upstream ? p.upstream[row] : 1.0); }
  bool aborted() const { return p.abort_flag && p.abort_flag->load(std::memory_order_relaxed) != 0; }
  T* room(int worker) const { return worker_rows + worker * worker_rows_size; }
  T* label_room(int worker) const { return room(worker) + NR * std::min(p.dim, kLongestRow); }

  T* max_of(int64_t strip) const { return max + (strip - first_strip) * NR; }
  double* sum_of(int64_t strip) const { return sum + (strip - first_strip) * NR; }
  double* scale_of(int64_t strip) const { return scale + (strip - first_strip) * NR; }
  double* true_terms(int64_t strip, int worker) const {
    return all_true_terms ? all_true_terms + strip * NR * p.num_true - first_label
                          : worker_true_terms + (worker * kMostTogether + strip % kMostTogether) * NR * p.num_true;
  }

  // Of how many strips and columns the state is at hand. `at_once`: a strip goes from its logits to its gradients in
  // one task.
  void plan_rows(int64_t strips_at_hand, int64_t columns_at_hand, bool at_once);

  static Touch lines_of(const T* at, int64_t count) {
    return {reinterpret_cast<const char*>(at), reinterpret_cast<const char*>(at + count)};
  }
  // `count` rows of `values` from `first` on; nothing where there are none.
  Touch lines_of_rows(const void* values, int64_t first, int64_t count) const {
    if (!values || count <= 0) return {};
    return lines_of(static_cast<const T*>(values) + first * p.dim, count * p.dim);
  }

  // ---- rows.cc
  // The strip's rows as T: the caller's own memory, or converted into `room`.
  const T* input_rows(int64_t strip, T* room) const;
  // `n` elements of one, from dim `d` on.
  const T* input_row(int64_t row, int64_t d, int64_t n, T* room) const;
  // What is added to the logits of labels [begin, begin + count) of [B * T].
  void label_offsets(int64_t begin, int64_t count, double* out) const;
  // Logits of the true classes of the strip's rows.
  void find_true_logits(int64_t strip, int worker, const T* rows);
  // Leaves the accidental hits of the strip's rows out of z, which holds columns [begin, begin + count).
  void exclude_hits(int64_t strip, int64_t begin, int64_t count, T* z) const;
  // Raises max of the strip's rows to their true logits.
  void include_true_logits(int64_t strip, int worker);
  // The three steps from the logits of the strip's rows to what their gradients are multiples of, in place, and to
  // their losses: before the first logit; once for all logits of columns [begin, begin + count), in pieces small enough
  // to be in a cache still; after the last.
  void start_rows(int64_t strip, int worker);
  void see_logits(int64_t strip, int64_t begin, int64_t count, T* z);
  void activate(int64_t strip, int worker, int64_t columns, T* z);
  // From max, sum and the true classes' logits to the losses, scale and their gradients.
  void finish_rows(int64_t strip, int worker);
  void finish_softmax_rows(int64_t strip, double* true_class);
  // input_gradients of the strip: scale * transposed [D][NR], plus the true classes' part.
  void write_input_gradients(int64_t strip, int worker, const T* transposed);
  // out += the true classes' part of a row's input gradient, `n` elements from dim `d` on; dz: the row's true terms.
  void add_true_classes(int64_t row, const double* dz, int64_t d, int64_t n, int worker, T* out) const;

  // Zeroes what the strip's e, `padded` columns of it, holds beyond its rows and columns: the class gradients sum over
  // whole strips, the input gradients over whole tiles.
  void clear_padding(int64_t strip, int64_t columns, int64_t padded, T* e) const;

  // ---- columns.cc
  // What is added to the logits of columns [begin, begin + count).
  void column_offsets(int64_t begin, int64_t count, T* out) const;
  // The rows of the `height` columns of one tile, of `count` from `begin` on, and the offsets of the tiles [first,
  // end); what is beyond them is null and zero.
  void read_columns(int64_t begin, int64_t count, int height, int64_t tile, int worker, const T** rows);
  void tile_offsets(int64_t begin, int64_t count, int height, int64_t first, int64_t end, T* out) const;
  // Where the class gradients of columns [begin, begin + count) go; weight_rows: the caller's, or [columns at hand][D].
  void column_outputs(int64_t begin, int64_t count, T* weight_rows, T** out) const;
  // What is the caller's of it, where that is one piece.
  Touch column_output_lines(int64_t begin, int64_t count) const;
  void add_column_biases(int64_t begin, int64_t count, const double* sums, bool add);
  // Packs the tiles [begin, end) of the columns.
  void pack_tiles(const Columns<T>& columns, int64_t begin, int64_t end, int worker);
  // Packs all of them, in parallel.
  void pack_columns(const Columns<T>& columns);
  // Gradients of the packed columns' class rows from the strips [first, first + n) of e (strip_stride apart), in
  // parallel. `add`: to what the class rows' gradients are of the strips before.
  void add_column_gradients(const Columns<T>& columns, const T* e, int64_t strip_stride, int64_t first, int64_t n,
                            const T* panels, int64_t panel_stride, T* weight_rows, bool add);

  // ---- class_gradients.cc
  // Whether the columns' gradients are summed into an array of our own before they are added to the caller's rows.
  bool sums_columns_apart() const;
  void clear_merged();
  // The rows that unmerged gradients have for the labels of a strip: of weights, the dims [d, d + n) of rows [NR][n];
  // of biases; of both, of whole rows.
  void write_label_rows(int64_t strip, int worker, const T* rows, int64_t d, int64_t n);
  void write_label_biases(int64_t strip, int worker);
  void write_label_gradients(int64_t strip, int worker, const T* rows);
  // After all work on the strips before `strip`: the labels among them, where that many are at hand.
  void finish_labels(int64_t strip);
  // What remains of the uses [first, last) when the columns among them, all at hand, are summed: rows that several uses
  // share, and the biases.
  void finish_class_gradients(int64_t first, int64_t last, const T* unmerged);
  void finish_weight_gradients(int64_t first, int64_t last, const T* unmerged);
  void finish_bias_gradients(int64_t first, int64_t last);
  void merge_class_gradients(int64_t first, int64_t last, const T* unmerged);
  void write_bias_gradients(int64_t first, int64_t last);
};

// The columns and their gradients' sums stay in the cache of each core, and groups of rows go through them one by one.
template <class T>
Status run_grouped(Step<T>& step);
// Whether the columns are few enough.
template <class T>
bool can_group(const Step<T>& step);

// The inputs stay in the cache of each core, and ranges of columns go by.
template <class T>
Status run_ranged(Step<T>& step);
// Whether the rows are few enough, the columns many, and their probabilities need no more memory than they may.
template <class T>
bool can_range(const Step<T>& step);

// The columns stay packed, and a block of the rows' logits stays in memory, from the logits to the gradients: three
// matrix products. Needs memory for both.
template <class T>
Status run_kept(Step<T>& step);
// Whether run_kept needs no more than it may.
template <class T>
bool can_keep(const Step<T>& step);

// As run_kept, in bfloat16 where the processor multiplies it and the caller lets us.
bool can_reduce(const Step<float>& step);
Status run_reduced(Step<float>& step);

// For long rows: a slice of the dims at a time, so that no row is ever packed whole.
template <class T>
Status run_sliced(Step<T>& step);

// Columns and logits are formed a block at a time, twice where gradients are wanted: five matrix products for three,
// in little memory for any number of columns.
template <class T>
Status run_streamed(Step<T>& step);

}  // namespace sampled_softmax
