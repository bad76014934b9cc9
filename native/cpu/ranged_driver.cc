// The driver for small batches over many columns. The inputs stay in the L2 cache of each core, and the class rows go
// by once. The columns are cut into ranges, each a task of its own:
//
//   each range   a block of columns at a time: class rows packed, logits, exp of the logits less the largest
//                so far (the block's base), input gradients; only the exponentials and their base are kept
//   each strip   the largest of all ranges, their sums, losses, input gradients
//   each block   class gradients: its exponentials times inputs that are scaled from its base to the largest
//
// so packed class rows are never written to memory, and the exponentials once. Where these two were written and read
// again (kept_driver.cc), 128 rows against 67,000 columns took a fifth longer. Ranges depend on the problem alone.
#include <algorithm>
#include <limits>

#include "cpu/blocks.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kColumns = 2 * kColumnsAtATime;  // of a block
constexpr int64_t kMostRanges = 32, kBlocksPerRange = 4;
constexpr int64_t kInputsAtMost = 256 * 1024;  // bytes of the inputs, and of as many sums of a range

template <class T>
int64_t blocks_of(const Step<T>& s) {
  return (s.p.num_sampled + kColumns - 1) / kColumns;
}

template <class T>
struct Ranged {
  explicit Ranged(Step<T>& step)
      : s(step),
        p(step.p),
        dim(p.dim),
        rows(step.strips() * step.NR),
        stride(kColumns * step.NR),
        blocks(blocks_of(step)),
        ranges(std::clamp<int64_t>(blocks / kBlocksPerRange, 1, kMostRanges)),
        strip_size(step.NR * p.dim),
        sums_size((p.dim + step.MR) * step.NR) {}

  Step<T>& s;
  const SampledProblem& p;
  const int64_t dim, rows;
  const int64_t stride;  // elements from strip to strip of e
  const int64_t blocks, ranges, strip_size, sums_size;

  T *inputs = nullptr, *worker_tiles = nullptr, *worker_offset = nullptr, *worker_panels = nullptr, *unmerged = nullptr;
  double* worker_scale = nullptr;
  T* max = nullptr;         // [ranges][rows]
  T* base = nullptr;        // [blocks][rows], the largest when the block was taken; null without gradients
  double* sum = nullptr;    // [ranges][rows]
  T* input_sums = nullptr;  // [ranges][strips][D + MR][NR]; null where input gradients are not wanted
  T* e = nullptr;           // [blocks][strips][kColumns][NR]; without gradients a strip's of each worker

  int64_t begin_of(int64_t block) const { return std::min(block * kColumns, p.num_sampled); }
  int64_t columns_of(int64_t block) const { return begin_of(block + 1) - begin_of(block); }
  int64_t first_block(int64_t range) const { return blocks * range / ranges; }
  T* block_e(int64_t block) const { return e + block * s.strips() * stride; }
  Status plan();
  void start_strip(int64_t strip, int worker);
  void take_range(int64_t range, int worker);
  void take_logits(int64_t range, int64_t block, int64_t strip, T* z);
  void finish_strip(int64_t strip, int worker);
  void add_class_gradients(int64_t first_block, int64_t end_block, int worker);
};

template <class T>
Status Ranged<T>::plan() {
  Scratch& scratch = s.scratch;
  s.plan_rows(s.strips(), p.num_sampled, false);
  scratch.plan(inputs, rows * dim);
  scratch.plan(worker_tiles, s.threads * (kColumns * dim + kTileSlack));
  scratch.plan(worker_offset, s.threads * kColumns);
  scratch.plan(max, ranges * rows);
  scratch.plan(sum, ranges * rows);
  scratch.plan(e, (s.wants_gradients ? blocks * s.strips() : s.threads) * stride);
  if (s.wants_gradients) scratch.plan(base, blocks * rows);
  if (p.input_gradients) scratch.plan(input_sums, ranges * s.strips() * sums_size);
  if (p.weight_gradients.values) {
    scratch.plan(worker_panels, s.threads * rows * s.padded_dim);
    if (s.sums_columns_apart()) scratch.plan(unmerged, p.num_sampled * dim);
  }
  scratch.plan(worker_scale, s.threads * rows);
  return scratch.allocate();
}

template <class T>
void Ranged<T>::start_strip(int64_t strip, int worker) {
  const T* from = s.input_rows(strip, s.room(worker));
  s.k.pack_strip(from, s.rows_of(strip), dim, inputs + strip * strip_size);
  s.find_true_logits(strip, worker, from);
  s.start_rows(strip, worker);
}

template <class T>
void Ranged<T>::take_range(int64_t range, int worker) {
  T *tiles = worker_tiles + worker * (kColumns * dim + kTileSlack), *offset = worker_offset + worker * kColumns;
  std::copy(s.max, s.max + rows, max + range * rows);
  std::fill(sum + range * rows, sum + (range + 1) * rows, 0.0);
  for (int64_t block = first_block(range); block < first_block(range + 1); ++block) {
    if (s.aborted()) return;
    const int64_t count = columns_of(block), padded = s.tiles_of(count) * s.MR;
    s.pack_tiles({begin_of(block), count, tiles, offset}, 0, s.tiles_of(count), worker);
    for (int64_t strip = 0; strip < s.strips(); ++strip) {
      T* z = s.wants_gradients ? block_e(block) + strip * stride : e + worker * stride;
      const bool last = strip + 1 == s.strips() && block + 1 == first_block(range + 1);
      s.k.logits(tiles, count, inputs + strip * strip_size, s.rows_of(strip), dim, offset, z,
                 s.wants_gradients && !last ? s.lines_of(z + stride, stride) : Touch{});
      take_logits(range, block, strip, z);
      s.clear_padding(strip, count, padded, z);
      if (!input_sums) continue;
      s.k.input_gradients(tiles, count, z, s.rows_of(strip), dim, input_sums + (range * s.strips() + strip) * sums_size,
                          block > first_block(range), {});
    }
  }
}

// From the logits of a block, in place. The largest of the range may rise: what was summed before is scaled down to it.
template <class T>
void Ranged<T>::take_logits(int64_t range, int64_t block, int64_t strip, T* z) {
  const int64_t begin = begin_of(block), count = columns_of(block), row = strip * s.NR;
  s.exclude_hits(strip, begin, count, z);
  double* total = sum + range * rows + row;
  if (p.loss == Loss::logistic) return s.k.logistic(z, count, total);
  T* largest = max + range * rows + row;
  T before[kMostRowsPerStrip], below[kMostRowsPerStrip], factor[kMostRowsPerStrip];
  bool raised = false;
  std::copy(largest, largest + s.NR, before);
  s.k.row_max(z, count, largest);
  if (base) std::copy(largest, largest + s.NR, base + block * rows + row);
  for (int r = 0; r < s.NR; ++r) {
    const double by = share_of(before[r], largest[r]);
    raised = raised || by != 1;
    total[r] *= by;
    factor[r] = static_cast<T>(by);
    // 0 where all logits so far are left out or NaN. The base stays -infinity: it counts nothing against any largest.
    below[r] = largest[r] == -std::numeric_limits<T>::infinity() ? T(0) : largest[r];
  }
  if (raised && input_sums && block > first_block(range)) {
    T* sums = input_sums + (range * s.strips() + strip) * sums_size;
    for (int64_t d = 0; d < dim; ++d, sums += s.NR) {
      for (int r = 0; r < s.NR; ++r) sums[r] *= factor[r];
    }
  }
  s.k.exponentials(z, count, below, total);
}

template <class T>
void Ranged<T>::finish_strip(int64_t strip, int worker) {
  const int64_t row = strip * s.NR, step = s.strips() * sums_size;
  T* total = input_sums ? input_sums + strip * sums_size : nullptr;  // the first range's, from here on of all
  for (int64_t range = 0; range < ranges; ++range) {
    for (int r = 0; r < s.NR; ++r) s.max[row + r] = std::max(s.max[row + r], max[range * rows + row + r]);
  }
  for (int64_t range = 0; range < ranges; ++range) {
    T factor[kMostRowsPerStrip];
    for (int r = 0; r < s.NR; ++r) {
      const double by = p.loss == Loss::logistic ? 1 : share_of(max[range * rows + row + r], s.max[row + r]);
      s.sum[row + r] += sum[range * rows + row + r] * by;
      factor[r] = static_cast<T>(by);
    }
    if (!total) continue;
    const T* part = total + range * step;
    for (int64_t d = 0; d < dim; ++d) {
      for (int r = 0; r < s.NR; ++r) {
        const T x = part[d * s.NR + r] * factor[r];
        total[d * s.NR + r] = range ? total[d * s.NR + r] + x : x;
      }
    }
  }
  s.finish_rows(strip, worker);
  if (!s.wants_gradients) return;
  s.write_label_gradients(strip, worker, s.input_rows(strip, s.room(worker)));
  if (total) s.write_input_gradients(strip, worker, total);
}

template <class T>
void Ranged<T>::add_class_gradients(int64_t first_block, int64_t end_block, int worker) {
  double* scale = worker_scale + worker * rows;
  T* weight_rows = unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values);
  T* panels = worker_panels ? worker_panels + worker * rows * s.padded_dim : nullptr;
  for (int64_t block = first_block; block < end_block; ++block) {
    if (s.aborted()) return;
    const int64_t begin = begin_of(block), count = columns_of(block);
    const T* et = block_e(block);
    for (int64_t r = 0; r < rows; ++r) {
      const bool scaled = p.loss != Loss::logistic && r < p.batch;
      scale[r] = s.scale[r] * (scaled ? share_of(base[block * rows + r], s.max[r]) : 1);
    }
    if (panels) {
      for (int64_t strip = 0; strip < s.strips(); ++strip) {
        s.k.pack_panels(s.input_rows(strip, s.room(worker)), s.rows_of(strip), dim, scale + strip * s.NR,
                        panels + strip * s.NR * s.NR, rows * s.NR);
      }
      T* out[kColumns];
      s.column_outputs(begin, count, weight_rows, out);
      // In two parts, each of which asks for half of what the next block needs.
      const bool last = block + 1 == end_block, add = p.weight_gradients.merged && !unmerged;
      const int64_t half = s.tiles_of(count) / 2 * s.MR;
      const auto part = [&](int64_t from, int64_t n, Touch touch) {
        s.k.class_gradients(et + from * s.NR, stride, n, p.batch, panels, rows * s.NR, dim, out + from, add,
                            last ? Touch{} : touch);
      };
      part(0, half, s.lines_of(et + s.strips() * stride, s.strips() * stride));
      part(half, count - half, s.column_output_lines(begin + count, last ? 0 : columns_of(block + 1)));
    }
    if (s.column_bias_gradients) {
      double sums[kColumns];
      s.k.column_sums(et, stride, count, s.strips(), scale, sums);
      s.add_column_biases(begin, count, sums, false);
    }
  }
}

}  // namespace

template <class T>
bool can_range(const Step<T>& s) {
  const int64_t rows = s.strips() * s.NR, size = static_cast<int64_t>(sizeof(T));
  return rows * std::max<int64_t>(s.p.dim, 1) * size <= kInputsAtMost && blocks_of(s) >= kBlocksPerRange &&
         s.p.batch * s.p.num_true <= kMostLabels &&
         (!s.wants_gradients || s.tiles_of(s.p.num_sampled) * s.MR * rows * size <= kLogitsAtMost);
}

template <class T>
Status run_ranged(Step<T>& s) {
  Ranged<T> ranged(s);
  if (Status status = ranged.plan(); !status.ok()) return status;
  s.clear_merged();
  parallel_for(s.strips(), s.threads, [&](int64_t strip, int worker) { ranged.start_strip(strip, worker); });
  parallel_for(ranged.ranges, s.threads, [&](int64_t range, int worker) { ranged.take_range(range, worker); });
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  parallel_for(s.strips(), s.threads, [&](int64_t strip, int worker) { ranged.finish_strip(strip, worker); });
  if (!s.wants_gradients) return {};
  if (s.p.weight_gradients.values || s.column_bias_gradients) {
    parallel_pieces(ranged.blocks, s.threads, kBlocksPerRange, 1,
                    [&](int64_t begin, int64_t end, int worker) { ranged.add_class_gradients(begin, end, worker); });
  }
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  s.finish_class_gradients(0, s.uses(), ranged.unmerged);
  return {};
}

template bool can_range(const Step<float>&);
template bool can_range(const Step<double>&);
template Status run_ranged(Step<float>&);
template Status run_ranged(Step<double>&);

}  // namespace sampled_softmax
