#include "cuda/loss_arrays.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/slot_order.h"
#include "cuda/errors.h"
#include "cuda/kernels/tables.h"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int64_t kTileColumns = 64;  // whole tiles of every kernel

SlotOrder order_slots(const SampledProblem& p, bool full, const RowGradients& g, int64_t uses) {
  const auto row_of = [&](int64_t use) { return row_of_use(p, full, g, use); };
  SlotOrder order;
  order.slots = slots_by_row(uses, g.num_rows, row_of);
  int64_t last = -1;
  for (int64_t i = 0; i < uses; ++i) {
    const int64_t row = row_of(order.slots[static_cast<size_t>(i)]);
    if (row == last) continue;
    order.starts.push_back(i);
    order.rows.push_back(row);
    last = row;
  }
  order.starts.push_back(uses);
  return order;
}

void plan_segments(Layout& layout, MirroredSegments& segments, const SlotOrder& order) {
  segments.count = static_cast<int64_t>(order.rows.size());
  layout.add(segments.starts, segments.count + 1);
  layout.add(segments.slots, static_cast<int64_t>(order.slots.size()));
  layout.add(segments.rows, segments.count);
}

void fill_segments(const MirroredSegments& segments, const SlotOrder& order) {
  if (!segments.starts) return;
  std::copy(order.starts.begin(), order.starts.end(), segments.starts.host);
  std::copy(order.rows.begin(), order.rows.end(), segments.rows.host);
  for (size_t i = 0; i < order.slots.size(); ++i) segments.slots.host[i] = order.slots[i];
}

template <class Values>
void fill_from(const Mirrored<Values>& array, int64_t count, const Ids& ids) {
  for (int64_t i = 0; array && i < count; ++i) array.host[i] = ids[i];
}

}  // namespace

int64_t kept_bytes() {
  static const int64_t bytes = [] {
    const char* text = std::getenv("SAMPLED_SOFTMAX_CUDA_KEPT_BYTES");
    const long long n = text ? std::atoll(text) : 0;
    return n > 0 ? static_cast<int64_t>(n) : int64_t{512} << 20;
  }();
  return bytes;
}

template <class T, class E>
LossArrays<T, E>::LossArrays(const SampledProblem& problem, bool full)
    : p(problem),
      full(full),
      labels(p.batch * p.num_true),
      pitch(padded_row(p.dim, dtype_of<E>)),
      wants_gradients(p.input_gradients || p.weight_gradients.wanted() || p.bias_gradients.wanted()),
      merges(p.weight_gradients.wanted() && (p.weight_gradients.merged || full)),
      columns_apart(p.weight_gradients.wanted() && p.weight_gradients.merged && !p.weight_gradients.sampled_distinct) {
  plan_inputs();
  classes.plan(p, full, pitch, uploads, scratch);
  plan_counts();
  if (p.upstream) uploads.add(upstream, p.batch);
  results.add(losses, p.batch);
  scratch.add(rows.max, p.batch);
  scratch.add(rows.scale, p.batch);
  scratch.add(rows.true_logits, labels);
  scratch.add(rows.true_dz, labels);
  plan_columns();
  if (wants_gradients) plan_gradients();
}

template <class T, class E>
void LossArrays<T, E>::plan_inputs() {
  if (!p.inputs_table) uploads.add(inputs, p.batch * pitch);
  else if (p.inputs_dtype != dtype_of<E>) scratch.add(inputs.device, p.batch * pitch);
  else inputs.device = reinterpret_cast<E*>(p.inputs_table->row(0));
}

template <class T, class E>
void LossArrays<T, E>::plan_counts() {
  if (p.subtract_log_q) {
    uploads.add(column_count, p.num_sampled);
    uploads.add(label_count, labels);
  }
  if (p.hits == HitMask::keep) return;
  uploads.add(hit_keys, p.num_sampled);
  uploads.add(hit_labels, labels);
}

template <class T, class E>
void LossArrays<T, E>::plan_columns() {
  scratch.add(offset, p.num_sampled);
  const int64_t all = logits_pitch(p.num_sampled);
  const int64_t fit = kept_bytes() / (p.batch * static_cast<int64_t>(sizeof(T))) / kTileColumns * kTileColumns;
  chunk = std::min(all, std::max(fit, kTileColumns));
  partials.pitch = partials_per_row<T>(p.num_sampled);
  scratch.add(partials.max, p.batch * partials.pitch);
  scratch.add(partials.sum, p.batch * partials.pitch);
  if (wants_gradients) scratch.add(z, p.batch * chunk);
}

template <class T, class E>
void LossArrays<T, E>::plan_gradients() {
  if (p.input_gradients) {
    results.add(input_gradients, p.batch * p.dim);
    // About three; the parts have 24 MB at most.
    num_parts = parts_of_sum<T>(p.batch, p.dim, std::min(chunk, p.num_sampled), 384);
    scratch.add(parts, num_parts * p.batch * p.dim);
  }
  column_sums.parts = parts_of_batch<T>(p.batch, std::min(chunk, p.num_sampled));
  column_sums.pitch = p.num_sampled;
  const int64_t slots = full ? p.num_classes : labels + p.num_sampled;
  if (const RowGradients& g = p.weight_gradients; g.wanted()) {
    if (g.values) results.add(weight_gradients, g.num_rows * p.dim);
    if (g.slot_row) uploads.add(weight_rows, slots);
    if (columns_apart) scratch.add(unmerged, p.num_sampled * p.dim);
    // A block for each multiprocessor of a large device; the parts have 8 MB at most.
    const int64_t columns = std::min(chunk, p.num_sampled);
    num_class_parts = parts_of_sum<T>(columns, p.dim, p.batch, 128);
    if (num_class_parts > 1) scratch.add(class_parts, num_class_parts * columns * p.dim);
    if (merges) {
      weight_order_ = order_slots(p, full, g, labels + (columns_apart ? p.num_sampled : 0));
      plan_segments(uploads, weight_segments, weight_order_);
    }
  }
  if (const RowGradients& g = p.bias_gradients; g.wanted()) {
    if (g.values) results.add(bias_gradients, g.num_rows);
    scratch.add(column_sums.values, column_sums.parts * column_sums.pitch);
    if (g.merged || full) {
      bias_order_ = order_slots(p, full, g, labels + p.num_sampled);
      plan_segments(uploads, bias_segments, bias_order_);
    } else {
      bias_segments.count = labels + p.num_sampled;  // each slot by itself
      if (g.slot_row) uploads.add(bias_segments.rows, slots);
    }
  }
}

template <class T, class E>
void LossArrays<T, E>::fill() {
  const size_t size = size_of(p.inputs_dtype);
  for (int64_t b = 0; !p.inputs_table && b < p.batch; ++b) {
    const char* row = static_cast<const char*>(p.inputs) + static_cast<size_t>(b * p.dim) * size;
    read_row(row, p.inputs_dtype, p.dim, pitch, inputs.host + b * pitch);
  }
  classes.fill();
  for (int64_t c = 0; column_count && c < p.num_sampled; ++c) column_count.host[c] = p.sampled_expected_count[c];
  for (int64_t i = 0; label_count && i < labels; ++i) label_count.host[i] = p.true_expected_count[i];
  if (hit_keys) fill_hits();
  if (upstream) std::copy(p.upstream, p.upstream + p.batch, upstream.host);
  const int64_t slots = full ? p.num_classes : labels + p.num_sampled;
  fill_from(weight_rows, slots, p.weight_gradients.slot_row);
  if (bias_segments.starts) fill_segments(bias_segments, bias_order_);
  else fill_from(bias_segments.rows, slots, p.bias_gradients.slot_row);
  fill_segments(weight_segments, weight_order_);
}

template <class T, class E>
Status LossArrays<T, E>::gather(const Queue& queue) const {
  if (p.inputs_table && p.inputs_dtype != dtype_of<E> && p.dim) {
    const RowsOf to{inputs.device, dtype_of<E>, pitch, nullptr};
    const cudaError_t error = copy_rows(queue, p.batch, p.dim, p.inputs_table->rows_from(0), to);
    if (Status status = check(error, "launch of kernel copy_rows"); !status.ok()) return status;
  }
  return classes.gather(queue);
}

template <class T, class E>
void LossArrays<T, E>::fill_hits() {
  for (int64_t i = 0; i < labels; ++i) hit_labels.host[i] = p.labels[i];
  for (int64_t b = 0; p.num_true > 1 && b < p.batch; ++b) {
    std::sort(hit_labels.host + b * p.num_true, hit_labels.host + (b + 1) * p.num_true);
  }
  for (int64_t c = 0; c < p.num_sampled; ++c) hit_keys.host[c] = p.sampled[c];
  if (p.hits != HitMask::last) return;
  // All copies but the last of a class count whatever the labels are.
  const IdVector order = slots_by_row(p.num_sampled, p.num_classes, [&](int64_t c) { return p.sampled[c]; });
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    if (p.sampled[order[i]] == p.sampled[order[i + 1]]) hit_keys.host[order[i]] = -1;
  }
}

template class LossArrays<float, float>;
template class LossArrays<double, double>;
template class LossArrays<float, BFloat16>;
template class LossArrays<float, Float16>;

}  // namespace cuda
}  // namespace sampled_softmax
