// As kept_driver.cc, with products in bfloat16 (kernels/reduced.h). Logits, sums and losses stay in float32; what is
// kept of a block of rows is its probabilities, rounded: half the memory.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/blocks.h"
#include "cpu/class_rows.h"
#include "cpu/dispatch.h"
#include "cpu/pool.h"
#include "cpu/step.h"

namespace sampled_softmax {
namespace {

struct Reduced {
  explicit Reduced(Step<float>& step);

  Step<float>& s;
  const SampledProblem& p;
  const ReducedKernels& k;
  const int MR, NR;
  const int64_t dim, tiles, depth;  // depth: pairs of dims, padded
  const int64_t block;              // strips whose probabilities are kept
  const int64_t together;           // strips that share a block of class rows
  const int64_t e_stride, panel_stride, transposed_size;

  Pair *tiles_along_dims = nullptr, *tiles_along_columns = nullptr;
  float* offset = nullptr;
  Pair *e_along_rows = nullptr, *panels = nullptr;
  float* unmerged = nullptr;
  double* strip_column_sums = nullptr;  // [block][S]
  // A worker's own
  Pair *inputs = nullptr, *e_along_columns = nullptr;
  float *z = nullptr, *transposed = nullptr;

  Status plan();
  void pack_columns();
  void process_strips(int64_t first, int64_t q0, int64_t count, int worker);
  void add_column_gradients(int64_t first, int64_t n, float* weight_rows, bool add);
};

Reduced::Reduced(Step<float>& step)
    : s(step),
      p(step.p),
      k(*kernels().bfloat16),
      MR(k.columns_per_tile),
      NR(k.rows_per_strip),
      dim(p.dim),
      tiles((p.num_sampled + MR - 1) / MR),
      depth((dim + k.dims_per_step - 1) / k.dims_per_step * k.dims_per_step / 2),
      block(strips_per_block(tiles * MR, 2, dim, NR, s.strips(), p.num_true)),
      together(strips_together(block, NR * dim * 3)),
      e_stride(tiles * MR * NR / 2),
      panel_stride(block * NR / 2 * NR),
      transposed_size((dim + MR) * NR) {}

Status Reduced::plan() {
  Scratch& scratch = s.scratch;
  s.plan_rows(block, p.num_sampled, true);
  scratch.plan(tiles_along_dims, tiles * MR * depth + kTileSlack);
  scratch.plan(tiles_along_columns, tiles * MR * depth + kTileSlack);
  scratch.plan(offset, tiles * MR);
  scratch.plan(inputs, s.threads * together * NR * depth);
  scratch.plan(z, s.threads * together * tiles * MR * NR);
  if (s.wants_gradients) {
    scratch.plan(e_along_rows, block * e_stride);
    scratch.plan(e_along_columns, s.threads * together * e_stride);
    scratch.plan(transposed, s.threads * together * transposed_size);
    if (p.bias_gradients.values) scratch.plan(strip_column_sums, block * p.num_sampled);
    if (p.weight_gradients.values) scratch.plan(panels, s.padded_dim / NR * panel_stride);
    if (p.weight_gradients.values && s.sums_columns_apart()) scratch.plan(unmerged, p.num_sampled * dim);
  }
  return scratch.allocate();
}

void Reduced::pack_columns() {
  const auto pack = [&](int64_t begin, int64_t end, int worker) {
    s.tile_offsets(0, p.num_sampled, MR, begin, end, offset + begin * MR);
    for (int64_t t = begin; t < end; ++t) {
      const float* rows[kMostColumnsPerTile] = {};
      s.read_columns(0, p.num_sampled, MR, t, worker, rows);
      k.pack_tile(rows, dim, tiles_along_dims + t * MR * depth, tiles_along_columns + t * MR * depth);
    }
  };
  parallel_pieces(tiles, threads_to_pack(tiles * MR * dim, s.threads), kMostTilesToPack, 1, pack);
}

void Reduced::process_strips(int64_t first, int64_t q0, int64_t count, int worker) {
  float* room = s.room(worker);
  Pair* packed = inputs + worker * together * NR * depth;
  float* logits = z + worker * together * tiles * MR * NR;
  const int64_t z_stride = tiles * MR * NR, step = kColumnsAtATime / MR;
  for (int64_t q = 0; q < count; ++q) {
    const float* rows = s.input_rows(first + q0 + q, room);
    k.pack_strip(rows, s.rows_of(first + q0 + q), dim, packed + q * NR * depth);
    s.find_true_logits(first + q0 + q, worker, rows);
    s.start_rows(first + q0 + q, worker);
  }
  for (int64_t t = 0; t < tiles; t += step) {
    for (int64_t q = 0; q < count; ++q) {
      k.logits(tiles_along_dims + t * MR * depth, std::min(step, tiles - t), packed + q * NR * depth, dim,
               offset + t * MR, logits + q * z_stride + t * MR * NR);
    }
  }
  Pair* columns = e_along_columns + worker * together * e_stride;
  for (int64_t q = 0; q < count; ++q) {
    const int64_t strip = first + q0 + q;
    float* zq = logits + q * z_stride;
    s.see_logits(strip, 0, p.num_sampled, zq);
    s.activate(strip, worker, p.num_sampled, zq);
    if (!s.wants_gradients) continue;
    s.clear_padding(strip, p.num_sampled, tiles * MR, zq);
    // Before they are rounded: what is left of a sum whose terms cancel should not be their rounding.
    if (strip_column_sums) {
      s.k.column_sums(zq, 0, p.num_sampled, 1, s.scale_of(strip), strip_column_sums + (q0 + q) * p.num_sampled);
    }
    k.round(zq, tiles, columns + q * e_stride, e_along_rows + (q0 + q) * e_stride);
    const float* rows = s.input_rows(strip, room);
    if (panels) {
      k.pack_panels(rows, s.rows_of(strip), dim, s.scale_of(strip), panels + (q0 + q) * NR / 2 * NR, panel_stride);
    }
    s.write_label_gradients(strip, worker, rows);
  }
  if (!p.input_gradients) return;
  float* out = transposed + worker * together * transposed_size;
  std::fill(out, out + count * transposed_size, 0.0f);
  for (int64_t t = 0; t < tiles; t += step) {
    for (int64_t q = 0; q < count; ++q) {
      k.input_gradients(tiles_along_columns + t * MR * depth, std::min(step, tiles - t),
                        columns + q * e_stride + t * MR / 2 * NR, dim, out + q * transposed_size, t > 0);
    }
  }
  for (int64_t q = 0; q < count; ++q) s.write_input_gradients(first + q0 + q, worker, out + q * transposed_size);
}

void Reduced::add_column_gradients(int64_t first, int64_t n, float* weight_rows, bool add) {
  const auto sum_tiles = [&](int64_t t0, int64_t t1, int) {
    if (s.aborted()) return;
    const int64_t begin = t0 * MR, count = std::min(t1 * MR, p.num_sampled) - begin;
    const Pair* e = e_along_rows + begin * NR / 2;
    if (weight_rows) {
      float* out[kMostColumnsPerTask];
      s.column_outputs(begin, count, weight_rows, out);
      k.class_gradients(e, e_stride, count, n, panels, panel_stride, dim, out, add);
    }
    if (s.column_bias_gradients) {
      for (int64_t q = 0; q < n; ++q) {
        s.add_column_biases(begin, count, strip_column_sums + q * p.num_sampled + begin, first + q > 0);
      }
    }
  };
  parallel_pieces(tiles, s.threads, kMostTilesToSum, kFewestTilesToSum, sum_tiles);
}

}  // namespace

// Only where both factors are bfloat16 already. To round others to it would move a logit by 2^-9 of itself, which is
// more than the probabilities may be wrong once logits reach ten or so.
bool can_reduce(const Step<float>& s) {
  const SampledProblem& p = s.p;
  const Shard* end = p.weights.shards + p.weights.num_shards;
  return p.reduced_precision && p.dim <= kLongestRow && p.numerics == Numerics::stable && kernels().bfloat16 &&
         can_keep(s) && p.inputs_dtype == DType::bfloat16 &&
         std::all_of(p.weights.shards, end, [](const Shard& shard) { return shard.dtype == DType::bfloat16; });
}

Status run_reduced(Step<float>& s) {
  Reduced r(s);
  if (Status status = r.plan(); !status.ok()) return status;
  r.pack_columns();
  s.clear_merged();
  const SampledProblem& p = s.p;
  float* weight_rows = r.unmerged ? r.unmerged : static_cast<float*>(p.weight_gradients.values);
  for (int64_t first = 0; first < s.strips(); first += r.block) {
    const int64_t n = std::min(r.block, s.strips() - first);
    s.first_strip = first;
    parallel_pieces(n, s.threads, r.together, 1, [&](int64_t q, int64_t end, int worker) {
      if (!s.aborted()) r.process_strips(first, q, end - q, worker);
    });
    if (s.aborted()) return Status::error(Code::aborted, "aborted");
    if (weight_rows || s.column_bias_gradients) {
      r.add_column_gradients(first, n, weight_rows, first > 0 || (p.weight_gradients.merged && !r.unmerged));
    }
    s.finish_labels(first + n);
  }
  if (s.aborted()) return Status::error(Code::aborted, "aborted");
  s.finish_class_gradients(s.first_label, s.uses(), r.unmerged);
  return {};
}

}  // namespace sampled_softmax
