// The driver for problems large in every respect. The sampled rows are packed once. Then, a block of rows at a time:
//
//   each strip of the block   some columns at a time: logits, exponentials in their place, input gradients; at the end
//                             losses (strips.h)
//   each range of columns     their class gradients, summed over the block's rows
//
// so a logit is an exponential and in the input gradients while it is in the L2 cache, and comes back once. Where each
// of the three went through all columns, a step took 1.02 to 1.04 times as long. Strips are grouped so that a tile of
// class rows, once in that cache, serves several of them. A class row's sum has one owner, and blocks depend on the
// problem alone: results do not depend on the number of threads.
#include <algorithm>

#include "cpu/blocks.h"
#include "cpu/pool.h"
#include "cpu/step.h"
#include "cpu/strips.h"

namespace sampled_softmax {

template <class T>
bool can_keep(const Step<T>& s) {
  const int64_t columns = s.tiles_of(s.p.num_sampled) * s.MR, size = static_cast<int64_t>(sizeof(T));
  if (columns * s.NR * size > logits_at_most(s.p.batch * s.p.num_true)) return false;
  // All classes of a catalogue: beyond this a copy of them would cost more than to form the logits twice.
  return !s.full || columns * s.p.dim * size <= 64 * kMiB;
}

template <class T>
Status run_kept(Step<T>& s) {
  const SampledProblem& p = s.p;
  const int NR = s.NR, threads = s.threads;
  const int64_t dim = p.dim, tiles = s.tiles_of(p.num_sampled), stride = e_stride(s);
  const int64_t block = strips_per_block(tiles * s.MR, sizeof(T), dim, NR, s.strips(), p.num_true);
  const int64_t together = strips_together(block, NR * dim * static_cast<int64_t>(sizeof(T)));
  const int64_t panel_stride = block * NR * NR;

  Columns<T> columns;
  columns.count = p.num_sampled;
  T *e = nullptr, *panels = nullptr, *unmerged = nullptr;
  WorkerRooms<T> rooms(s, together);
  s.plan_rows(block, p.num_sampled, true);
  s.scratch.plan(columns.tiles, tiles * s.MR * dim + kTileSlack);
  s.scratch.plan(columns.offset, tiles * s.MR);
  s.scratch.plan(e, (s.wants_gradients ? block : threads * together) * stride);
  rooms.plan(s);
  if (p.weight_gradients.values) s.scratch.plan(panels, s.padded_dim / NR * panel_stride);
  if (p.weight_gradients.values && s.sums_columns_apart()) s.scratch.plan(unmerged, p.num_sampled * dim);
  if (Status status = s.scratch.allocate(); !status.ok()) return status;

  s.pack_columns(columns);
  s.clear_merged();
  T* weight_rows = unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values);
  for (int64_t first = 0; first < s.strips(); first += block) {
    const int64_t n = std::min(block, s.strips() - first);
    s.first_strip = first;
    parallel_pieces(n, threads, together, 1, [&](int64_t q, int64_t end, int worker) {
      if (s.aborted()) return;
      process_strips(s, columns, first + q, end - q, worker, rooms,
                     e + (s.wants_gradients ? q : worker * together) * stride, panels ? panels + q * NR * NR : nullptr,
                     panel_stride);
    });
    if (s.aborted()) return Status::error(Code::aborted, "aborted");
    if (weight_rows || s.column_bias_gradients) {
      const bool add = first > 0 || (p.weight_gradients.merged && !unmerged);
      s.add_column_gradients(columns, e, stride, first, n, panels, panel_stride, weight_rows, add);
    }
    s.finish_labels(first + n);
  }
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  s.finish_class_gradients(s.first_label, s.uses(), unmerged);
  return {};
}

template bool can_keep(const Step<float>&);
template bool can_keep(const Step<double>&);
template Status run_kept(Step<float>&);
template Status run_kept(Step<double>&);

}  // namespace sampled_softmax
