// The driver for rows too long to be packed whole. Dims are cut into slices, of which a worker has those of a block of
// rows and of a block of columns at hand, in its L2 cache. A block of rows at a time:
//
//   each share of the dims     logits of a block of columns, summed over the share's slices
//   each strip                 the sums of all shares; maximum, exp, losses in place
//   each slice                 input gradients and class gradients of its dims, over all columns
//
// so class rows are packed twice for a block of rows, and no array but the unmerged sums has room for a whole row.
// Slices, shares and blocks depend on the problem alone.
#include <algorithm>

#include "cpu/blocks.h"
#include "cpu/class_rows.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kSliceBytes = 1024, kMostShares = 8, kMostStrips = 8;

template <class T>
struct Sliced {
  static constexpr int64_t kSlice = kSliceBytes / static_cast<int64_t>(sizeof(T));

  explicit Sliced(Step<T>& step)
      : s(step),
        p(step.p),
        NR(step.NR),
        stride(step.tiles_of(p.num_sampled) * step.MR * NR),
        slices((p.dim + kSlice - 1) / kSlice),
        shares(std::clamp<int64_t>(slices, 1, kMostShares)),
        block(std::clamp<int64_t>(
            std::min(kLogitsWanted / std::max<int64_t>(shares * stride * static_cast<int64_t>(sizeof(T)), 1),
                     kMostLabels / (p.num_true * NR)),
            1, kMostStrips)),
        panel_stride(block * NR * NR) {}

  Step<T>& s;
  const SampledProblem& p;
  const int NR;
  const int64_t stride;  // elements from strip to strip of the logits
  const int64_t slices, shares, block;
  const int64_t panel_stride;

  // [shares][block][columns][NR] logits; the first share's become their sums, and then e.
  T* z = nullptr;
  T *offset = nullptr, *no_offset = nullptr, *unmerged = nullptr;
  // A worker's own.
  T *worker_rows = nullptr, *worker_strip = nullptr;    // [NR][kSlice]; [kSlice][NR]
  T *worker_tiles = nullptr, *worker_logits = nullptr;  // [tiles of columns][kSlice][MR]; [columns][NR]
  T* worker_panels = nullptr;                           // [panels of a slice][block * NR][NR]
  T* worker_transposed = nullptr;                       // [block][kSlice + MR][NR], sums of input gradients

  int64_t strip_size() const { return kSlice * NR; }
  int64_t tiles_size() const { return kColumnsAtATime * kSlice + kTileSlack; }
  int64_t logits_size() const { return kColumnsAtATime * NR; }
  int64_t panels_size() const { return kSlice / NR * panel_stride; }
  int64_t transposed_size() const { return (kSlice + s.MR) * NR; }
  int64_t columns_from(int64_t c) const { return std::min(kColumnsAtATime, p.num_sampled - c); }
  int64_t width_of(int64_t slice) const { return std::min(kSlice, p.dim - slice * kSlice); }

  Status plan();
  void start_strip(int64_t strip, int worker);
  const T* read_rows(int64_t strip, int64_t slice, T* room) const;
  const T* pack_columns(int64_t c, int64_t slice, int worker);
  void form_logits(int64_t first, int64_t n, int64_t share, int64_t c, int worker);
  void finish_strip(int64_t strip, int64_t q, int worker);
  void add_gradients(int64_t first, int64_t n, int64_t slice, int worker);
  void write_input_gradients(int64_t strip, int64_t slice, int worker, const T* transposed);
};

template <class T>
Status Sliced<T>::plan() {
  Scratch& scratch = s.scratch;
  s.plan_rows(block, p.num_sampled, false);
  scratch.plan(z, shares * block * stride);
  scratch.plan(offset, stride / NR);
  scratch.plan(no_offset, kColumnsAtATime);
  scratch.plan(worker_rows, s.threads * strip_size());
  scratch.plan(worker_tiles, s.threads * tiles_size());
  scratch.plan(worker_strip, s.threads * strip_size());
  scratch.plan(worker_logits, s.threads * logits_size());
  if (p.input_gradients) scratch.plan(worker_transposed, s.threads * block * transposed_size());
  if (p.weight_gradients.values) {
    scratch.plan(worker_panels, s.threads * panels_size());
    if (s.sums_columns_apart()) scratch.plan(unmerged, p.num_sampled * p.dim);
  }
  return scratch.allocate();
}

// The strip's rows as T, [rows][width of the slice].
template <class T>
const T* Sliced<T>::read_rows(int64_t strip, int64_t slice, T* room) const {
  const int64_t width = width_of(slice);
  for (int64_t r = 0; r < s.rows_of(strip); ++r) {
    T* to = room + r * width;
    const T* from = s.input_row(strip * NR + r, slice * kSlice, width, to);
    if (from != to) std::copy(from, from + width, to);
  }
  return room;
}

// Columns from c on, as many as are packed at a time.
template <class T>
const T* Sliced<T>::pack_columns(int64_t c, int64_t slice, int worker) {
  const int64_t end = c + columns_from(c), width = width_of(slice);
  T *tiles = worker_tiles + worker * tiles_size(), *room = s.room(worker);
  for (T* tile = tiles; c < end; c += s.MR, tile += s.MR * width) {
    const T* rows[kMostColumnsPerTile] = {};
    for (int64_t m = 0; m < std::min<int64_t>(s.MR, end - c); ++m) {
      const StoredRow row = stored_row(p.weights, s.class_of(c + m));
      rows[m] = read_row(s.k, from_dim(row, slice * kSlice), width, room + m * width);
    }
    s.k.pack_tile(rows, width, tile);
  }
  return tiles;
}

template <class T>
void Sliced<T>::start_strip(int64_t strip, int worker) {
  double* logits = s.true_terms(strip, worker);
  const int64_t begin = strip * NR * p.num_true, count = s.rows_of(strip) * p.num_true;
  s.label_offsets(begin, count, logits);
  for (int64_t i = 0; i < count; ++i) {
    const StoredRow row = stored_row(p.weights, p.labels[begin + i]);
    for (int64_t slice = 0; slice < slices; ++slice) {
      const int64_t d = slice * kSlice, width = width_of(slice);
      const T* x = s.input_row((begin + i) / p.num_true, d, width, s.room(worker));
      logits[i] += s.k.dot(x, read_row(s.k, from_dim(row, d), width, s.label_room(worker)), width);
    }
  }
  s.start_rows(strip, worker);
}

// The share's part of the logits of the strips [first, first + n) with the columns from c on.
template <class T>
void Sliced<T>::form_logits(int64_t first, int64_t n, int64_t share, int64_t c, int worker) {
  const int64_t count = columns_from(c), begin = slices * share / shares, end = slices * (share + 1) / shares;
  T *rows = worker_rows + worker * strip_size(), *strip = worker_strip + worker * strip_size();
  for (int64_t slice = begin; slice < end && !s.aborted(); ++slice) {
    const T* tiles = pack_columns(c, slice, worker);
    for (int64_t q = 0; q < n; ++q) {
      T *sums = z + (share * block + q) * stride + c * NR, *part = worker_logits + worker * logits_size();
      s.k.pack_strip(read_rows(first + q, slice, rows), s.rows_of(first + q), width_of(slice), strip);
      s.k.logits(tiles, count, strip, s.rows_of(first + q), width_of(slice), slice ? no_offset : offset + c,
                 slice > begin ? part : sums, {});
      if (slice > begin) s.k.add_scaled(T(1), part, count * NR, sums);
    }
  }
}

template <class T>
void Sliced<T>::finish_strip(int64_t strip, int64_t q, int worker) {
  const int64_t columns = p.num_sampled;
  T* e = z + q * stride;
  if (columns) s.k.sum_rows(e, block * stride, shares, columns * NR, e, false);
  s.see_logits(strip, 0, columns, e);
  s.activate(strip, worker, columns, e);
  if (!s.wants_gradients) return;
  s.clear_padding(strip, columns, stride / NR, e);
  s.write_label_biases(strip, worker);
}

template <class T>
void Sliced<T>::add_gradients(int64_t first, int64_t n, int64_t slice, int worker) {
  const int64_t d = slice * kSlice, width = width_of(slice);
  T* panels = worker_panels ? worker_panels + worker * panels_size() : nullptr;
  T* transposed = worker_transposed ? worker_transposed + worker * block * transposed_size() : nullptr;
  for (int64_t q = 0; q < n && panels; ++q) {
    const T* rows = read_rows(first + q, slice, worker_rows + worker * strip_size());
    s.k.pack_panels(rows, s.rows_of(first + q), width, s.scale_of(first + q), panels + q * NR * NR, panel_stride);
    s.write_label_rows(first + q, worker, rows, d, width);
  }
  if (transposed && p.num_sampled == 0) std::fill(transposed, transposed + n * transposed_size(), T(0));
  T* weight_rows = unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values);
  const bool add = first > 0 || (p.weight_gradients.merged && !unmerged);
  for (int64_t c = 0; c < p.num_sampled && !s.aborted(); c += kColumnsAtATime) {
    const int64_t count = columns_from(c);
    const T* e = z + c * NR;
    if (transposed) {
      const T* tiles = pack_columns(c, slice, worker);
      for (int64_t q = 0; q < n; ++q)
        s.k.input_gradients(tiles, count, e + q * stride, s.rows_of(first + q), width,
                            transposed + q * transposed_size(), c > 0, {});
    }
    if (!panels) continue;
    T* out[kColumnsAtATime];
    s.column_outputs(c, count, weight_rows, out);
    for (int64_t i = 0; i < count; ++i) out[i] += d;
    s.k.class_gradients(e, stride, count, s.rows_of(first, n), panels, panel_stride, width, out, add, {});
  }
  for (int64_t q = 0; q < n && transposed; ++q)
    write_input_gradients(first + q, slice, worker, transposed + q * transposed_size());
}

template <class T>
void Sliced<T>::write_input_gradients(int64_t strip, int64_t slice, int worker, const T* transposed) {
  const int64_t first = strip * NR, d = slice * kSlice, width = width_of(slice);
  T* rows = worker_rows + worker * strip_size();
  s.k.unpack_strip(transposed, s.rows_of(strip), width, s.scale_of(strip), nullptr, nullptr, rows);
  const double* dz = s.true_terms(strip, worker);
  for (int64_t r = 0; r < s.rows_of(strip); ++r) {
    T* row = rows + r * width;
    s.add_true_classes(first + r, dz + r * p.num_true, d, width, worker, row);
    std::copy(row, row + width, static_cast<T*>(p.input_gradients) + (first + r) * p.dim + d);
  }
}

}  // namespace

template <class T>
Status run_sliced(Step<T>& s) {
  Sliced<T> sliced(s);
  if (Status status = sliced.plan(); !status.ok()) return status;
  const SampledProblem& p = s.p;
  const int64_t blocks_of_columns = (p.num_sampled + kColumnsAtATime - 1) / kColumnsAtATime;
  s.column_offsets(0, p.num_sampled, sliced.offset);
  std::fill(sliced.offset + p.num_sampled, sliced.offset + sliced.stride / s.NR, T(0));
  std::fill(sliced.no_offset, sliced.no_offset + kColumnsAtATime, T(0));
  s.clear_merged();
  for (int64_t first = 0; first < s.strips() && !s.aborted(); first += sliced.block) {
    const int64_t n = std::min(sliced.block, s.strips() - first);
    s.first_strip = first;
    parallel_for(n, s.threads, [&](int64_t q, int worker) { sliced.start_strip(first + q, worker); });
    parallel_for(sliced.shares * blocks_of_columns, s.threads, [&](int64_t task, int worker) {
      sliced.form_logits(first, n, task % sliced.shares, task / sliced.shares * kColumnsAtATime, worker);
    });
    if (s.aborted()) break;
    parallel_for(n, s.threads, [&](int64_t q, int worker) { sliced.finish_strip(first + q, q, worker); });
    if (p.input_gradients || p.weight_gradients.values) {
      parallel_for(sliced.slices, s.threads,
                   [&](int64_t slice, int worker) { sliced.add_gradients(first, n, slice, worker); });
    }
    if (s.column_bias_gradients) {
      s.add_column_gradients({0, p.num_sampled}, sliced.z, sliced.stride, first, n, nullptr, 0, nullptr, false);
    }
    s.finish_labels(first + n);
  }
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  if (s.wants_gradients) s.finish_class_gradients(s.first_label, s.uses(), sliced.unmerged);
  return {};
}

template Status run_sliced(Step<float>&);
template Status run_sliced(Step<double>&);

}  // namespace sampled_softmax
