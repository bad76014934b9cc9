// The driver for problems whose sampled rows are few. Each worker packs them for itself, and they stay in the L2 cache
// of its core. The batch is cut into groups of strips, each a task of its own from the logits to the class gradients of
// its rows:
//
//   each group   a few strips at a time: logits, losses, input gradients (strips.h); their class gradients, added up
//   each column  the sums of the groups, in order
//
// Cores exchange nothing but those sums. Where they exchanged the logits (kept_driver.cc), small steps took half as
// long again: a line that another core has written takes about 200 ns to come, and to fetch a packed row from there is
// not cheaper than to pack it again. Groups depend on the problem alone.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/small_array.h"
#include "cpu/blocks.h"
#include "cpu/pool.h"
#include "cpu/step.h"
#include "cpu/strips.h"

namespace sampled_softmax {
namespace {

// Bytes of a worker's packed class rows, and of what a worker has of the strips at hand: all stay in an L2 cache.
constexpr int64_t kTilesAtMost = 512 * 1024, kAtHand = 512 * 1024;

// Where groups begin. Few enough that to add them up costs little; smaller towards the end: beside busy neighbours,
// which hold up one thread more than the other, steps of equal groups took 1.01 to 1.06 times as long.
std::vector<int64_t> groups_of(int64_t strips) {
  constexpr int64_t kGroups = 16, kFewStrips = 6;  // about so many; as few are two halves
  const int64_t most = std::max((strips + kGroups - 1) / kGroups, kMostTogether);
  return pieces_of(strips, 2, most, strips <= kFewStrips ? (strips + 1) / 2 : std::max<int64_t>(most / 4, 2));
}

template <class T>
int64_t strips_at_hand(const Step<T>& s) {
  const int64_t row = s.NR * static_cast<int64_t>(sizeof(T)), logits = s.tiles_of(s.p.num_sampled) * s.MR * row;
  return std::clamp<int64_t>(kAtHand / std::max(std::max(logits, s.p.dim * row), row), 1, kMostTogether);
}

// The sums of each group: class gradients [groups][columns][D] and bias gradients [groups][columns]; null where not
// wanted.
template <class T>
struct GroupSums {
  T* weights = nullptr;
  double* biases = nullptr;

  // Adds strips [first, first + n), the group's first ones where not `add`.
  void take(const Step<T>& s, int64_t group, int64_t first, int64_t n, const T* e, int64_t stride, const T* panels,
            int64_t panel_stride, bool add, Touch touch) const {
    const int64_t columns = s.p.num_sampled, dim = s.p.dim;
    for (int64_t begin = 0; begin < columns; begin += kMostColumnsPerTask) {
      const int64_t count = std::min(kMostColumnsPerTask, columns - begin), at = group * columns + begin;
      if (weights) {
        T* out[kMostColumnsPerTask];
        for (int64_t c = 0; c < count; ++c) out[c] = weights + (at + c) * dim;
        s.k.class_gradients(e + begin * s.NR, stride, count, s.rows_of(first, n), panels, panel_stride, dim, out, add,
                            begin + count < columns ? Touch{} : touch);
      }
      if (biases) {
        double total[kMostColumnsPerTask];
        s.k.column_sums(e + begin * s.NR, stride, count, n, s.scale_of(first), total);
        for (int64_t c = 0; c < count; ++c) biases[at + c] = add ? biases[at + c] + total[c] : total[c];
      }
    }
  }

  // Columns that are added up in one task.
  static int64_t share_of(const Step<T>& s) {
    constexpr int64_t kBytes = 16 * 1024;
    const int64_t row = s.p.dim * static_cast<int64_t>(sizeof(T)), even = (s.p.num_sampled - 1) / s.threads + 1;
    return std::clamp<int64_t>(std::min(kBytes / std::max<int64_t>(row, 1), even), 1, kMostColumnsPerTask);
  }
  // What a worker most likely writes of them: where there is a share for each, the one of its number.
  static Touch lines_of_share(const Step<T>& s, int worker) {
    const int64_t share = share_of(s), begin = share * worker, end = std::min(begin + share, s.p.num_sampled);
    return share * s.threads < s.p.num_sampled ? Touch{} : s.column_output_lines(begin, end - begin);
  }

  // The sums of all groups of a share of the columns, to where the columns' gradients go.
  void add_up(Step<T>& s, int64_t share, int64_t groups, T* weight_rows) const {
    const int64_t columns = s.p.num_sampled, dim = s.p.dim, stride = columns * dim;
    const bool add = weights && s.p.weight_gradients.merged && !s.sums_columns_apart();
    const int64_t begin = share * share_of(s), count = std::min(columns - begin, share_of(s));
    if (weights) {
      T* out[kMostColumnsPerTask];
      s.column_outputs(begin, count, weight_rows, out);
      for (int64_t c = 0; c < count; ++c) s.k.sum_rows(weights + (begin + c) * dim, stride, groups, dim, out[c], add);
    }
    for (int64_t g = 0; biases && g < groups; ++g)
      s.add_column_biases(begin, count, biases + g * columns + begin, g > 0);
  }
};

}  // namespace

template <class T>
bool can_group(const Step<T>& s) {
  const int64_t columns = s.tiles_of(s.p.num_sampled) * s.MR, size = static_cast<int64_t>(sizeof(T));
  return columns * s.p.dim * size <= kTilesAtMost && columns * s.NR * size <= kAtHand && s.strips() > 1 &&
         s.p.batch * s.p.num_true <= kMostLabels;
}

template <class T>
Status run_grouped(Step<T>& s) {
  const SampledProblem& p = s.p;
  const int64_t dim = p.dim, count = p.num_sampled, padded = s.tiles_of(count) * s.MR, stride = e_stride(s);
  const std::vector<int64_t> begins = groups_of(s.strips());
  const int64_t groups = static_cast<int64_t>(begins.size()) - 1, together = strips_at_hand(s);
  const int64_t tiles_size = padded * dim + kTileSlack;
  const int workers = static_cast<int>(std::min<int64_t>(s.threads, groups));
  const int64_t panel_stride = together * s.NR * s.NR, e_size = together * stride,
                panels_size = s.padded_dim / s.NR * panel_stride;

  T *worker_tiles = nullptr, *worker_offset = nullptr;
  SmallArray<bool, 64> packed(static_cast<size_t>(workers));  // a worker's own
  std::fill(packed.begin(), packed.end(), false);
  T *worker_e = nullptr, *worker_panels = nullptr, *unmerged = nullptr;
  GroupSums<T> sums;
  WorkerRooms<T> rooms(s, together);
  s.plan_rows(s.strips(), count, true);
  s.scratch.plan(worker_tiles, workers * tiles_size);
  s.scratch.plan(worker_offset, workers * padded);
  s.scratch.plan(worker_e, workers * e_size);
  rooms.plan(s);
  if (p.weight_gradients.values) {
    s.scratch.plan(worker_panels, workers * panels_size);
    s.scratch.plan(sums.weights, groups * count * dim);
    if (s.sums_columns_apart()) s.scratch.plan(unmerged, count * dim);
  }
  if (p.bias_gradients.values) s.scratch.plan(sums.biases, groups * count);
  if (Status status = s.scratch.allocate(); !status.ok()) return status;

  const auto sum_group = [&](int64_t group, int worker) {
    const Columns<T> columns{0, count, worker_tiles + worker * tiles_size, worker_offset + worker * padded};
    if (!std::exchange(packed[static_cast<size_t>(worker)], true)) s.pack_tiles(columns, 0, s.tiles_of(count), worker);
    T* e = worker_e + worker * e_size;
    T* panels = worker_panels ? worker_panels + worker * panels_size : nullptr;
    const int64_t begin = begins[static_cast<size_t>(group)], end = begins[static_cast<size_t>(group + 1)];
    for (int64_t first = begin; first < end && !s.aborted(); first += together) {
      const int64_t n = std::min(together, end - first);
      process_strips(s, columns, first, n, worker, rooms, e, panels, panel_stride);
      sums.take(s, group, first, n, e, stride, panels, panel_stride, first > begin,
                first + n < end ? Touch{} : sums.lines_of_share(s, worker));
    }
  };
  s.clear_merged();
  const int64_t shares = (count + sums.share_of(s) - 1) / sums.share_of(s);
  parallel_phases(groups, sums.weights || sums.biases ? shares : 0, workers, sum_group, [&](int64_t share, int) {
    if (!s.aborted()) sums.add_up(s, share, groups, unmerged ? unmerged : static_cast<T*>(p.weight_gradients.values));
  });
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  s.finish_class_gradients(0, s.uses(), unmerged);
  return {};
}

template bool can_group(const Step<float>&);
template bool can_group(const Step<double>&);
template Status run_grouped(Step<float>&);
template Status run_grouped(Step<double>&);

}  // namespace sampled_softmax
