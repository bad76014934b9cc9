// The driver for all but enormous problems. The sampled rows are packed once. Then, a block of rows at a time:
//
//   each strip of the block   logits of all columns; maximum, exp, sums and losses in place; input gradients
//   each range of columns     their class gradients, summed over the block's rows
//
// so a logit is written once and read three times, from the L2 or L3 cache. Strips are grouped so that a tile of
// class rows, once in the L2 cache, serves several of them. A class row's sum has one owner, and blocks depend on the
// problem alone: results do not depend on the number of threads.
#include <algorithm>

#include "cpu/blocks.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

// The work on one group of strips, up to the input gradients. e: [strips][columns][NR] of this group.
template <class T>
void process_strips(Step<T>& s, const Columns<T>& columns, int64_t first, int64_t count, T* e, int worker,
                    T* packed_inputs, T* transposed, T* panels, int64_t panel_stride) {
  const int MR = s.MR, NR = s.NR;
  const int64_t dim = s.p.dim, tiles = s.tiles_of(columns.count), stride = tiles * MR * NR;
  for (int64_t q = 0; q < count; ++q) {
    const T* rows = s.input_rows(first + q, s.room(worker));
    s.k.pack_strip(rows, s.rows_of(first + q), dim, packed_inputs + q * NR * dim);
    s.find_true_logits(first + q, worker, rows);
    s.start_rows(first + q, worker);
  }
  for (int64_t seen = 0; seen < columns.count; seen += kColumnsToSee) {
    const int64_t end = std::min(seen + kColumnsToSee, columns.count);
    for (int64_t c = seen; c < end; c += kColumnsAtATime) {
      for (int64_t q = 0; q < count; ++q) {
        s.k.logits(columns.tiles + c * dim, std::min(kColumnsAtATime, end - c), packed_inputs + q * NR * dim, dim,
                   columns.offset + c, e + q * stride + c * NR);
      }
    }
    for (int64_t q = 0; q < count; ++q) s.see_logits(first + q, seen, end - seen, e + q * stride + seen * NR);
  }
  for (int64_t q = 0; q < count; ++q) {
    const int64_t strip = first + q;
    T* z = e + q * stride;
    s.activate(strip, worker, columns.count, z);
    if (!s.wants_gradients) continue;
    s.clear_padding(strip, columns.count, s.tiles_of(columns.count) * s.MR, z);
    const T* rows = s.input_rows(strip, s.room(worker));
    if (panels) s.k.pack_panels(rows, s.rows_of(strip), dim, s.scale + strip * NR, panels + q * NR * NR, panel_stride);
    s.write_label_gradients(strip, worker, rows);
  }
  if (!transposed) return;
  const int64_t transposed_size = (dim + MR) * NR;
  std::fill(transposed, transposed + count * transposed_size, T(0));
  for (int64_t c = 0; c < columns.count; c += kColumnsAtATime) {
    for (int64_t q = 0; q < count; ++q) {
      s.k.input_gradients(columns.tiles + c * dim, std::min(kColumnsAtATime, columns.count - c),
                          e + q * stride + c * NR, dim, transposed + q * transposed_size, true);
    }
  }
  for (int64_t q = 0; q < count; ++q) s.write_input_gradients(first + q, worker, transposed + q * transposed_size);
}

}  // namespace

template <class T>
bool can_keep(const Step<T>& s) {
  const int64_t columns = s.tiles_of(s.p.num_sampled) * s.MR, size = static_cast<int64_t>(sizeof(T));
  if (columns * s.NR * size > kLogitsAtMost) return false;
  // All classes of a catalogue: beyond this a copy of them would cost more than to form the logits twice.
  return !s.full || columns * s.p.dim * size <= 64 * kMiB;
}

template <class T>
Status run_kept(Step<T>& s) {
  const SampledProblem& p = s.p;
  const int NR = s.NR, threads = s.threads;
  const int64_t dim = p.dim, tiles = s.tiles_of(p.num_sampled), stride = tiles * s.MR * NR;
  const int64_t block = strips_per_block(tiles * s.MR, sizeof(T), dim, NR, s.strips());
  const int64_t together = strips_together(block, threads, tiles * s.MR * dim * static_cast<int64_t>(sizeof(T)));
  const int64_t panel_stride = block * NR * NR;

  Columns<T> columns;
  columns.count = p.num_sampled;
  T *e = nullptr, *panels = nullptr, *unmerged = nullptr, *worker_inputs = nullptr, *worker_transposed = nullptr;
  const int64_t inputs_size = together * NR * dim, transposed_size = together * (dim + s.MR) * NR;
  s.plan_rows(true);
  s.scratch.plan(columns.tiles, tiles * s.MR * dim + kTileSlack);
  s.scratch.plan(columns.offset, tiles * s.MR);
  s.scratch.plan(e, block * stride);
  s.scratch.plan(worker_inputs, threads * inputs_size);
  if (p.input_gradients) s.scratch.plan(worker_transposed, threads * transposed_size);
  if (p.weight_gradients.values) s.scratch.plan(panels, s.padded_dim / NR * panel_stride);
  if (p.weight_gradients.values && s.sums_columns_apart()) s.scratch.plan(unmerged, p.num_sampled * dim);
  if (Status status = s.scratch.allocate(); !status.ok()) return status;

  s.pack_columns(columns);
  s.clear_merged();
  T* weight_rows = unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values);
  for (int64_t first = 0; first < s.strips(); first += block) {
    const int64_t n = std::min(block, s.strips() - first);
    parallel_for((n + together - 1) / together, threads, [&](int64_t task, int worker) {
      if (s.aborted()) return;
      const int64_t q = task * together;
      process_strips(s, columns, first + q, std::min(together, n - q), e + q * stride, worker,
                     worker_inputs + worker * inputs_size,
                     worker_transposed ? worker_transposed + worker * transposed_size : nullptr,
                     panels ? panels + q * NR * NR : nullptr, panel_stride);
    });
    if (s.aborted()) return Status::error(Code::aborted, "aborted");
    if (!weight_rows && !s.column_bias_gradients) continue;
    const bool add = first > 0 || (p.weight_gradients.merged && !unmerged);
    s.add_column_gradients(columns, e, stride, first, n, panels, panel_stride, weight_rows, add);
  }
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  s.finish_class_gradients(unmerged);
  return {};
}

template bool can_keep(const Step<float>&);
template bool can_keep(const Step<double>&);
template Status run_kept(Step<float>&);
template Status run_kept(Step<double>&);

}  // namespace sampled_softmax
