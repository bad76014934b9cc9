#include "cuda/class_arrays.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/class_rows.h"
#include "cuda/errors.h"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class Test>
bool any_shard(const ClassRows& rows, Test&& test) {
  return std::any_of(rows.shards, rows.shards + rows.num_shards, test);
}
bool in_table(const Shard& shard) { return shard.table; }
bool in_host(const Shard& shard) { return !shard.table; }

}  // namespace

template <class E>
void read_row(const void* data, DType dtype, int64_t width, int64_t pitch, E* out) {
  if (dtype == dtype_of<E>) {
    std::memcpy(out, data, static_cast<size_t>(width) * sizeof(E));
  } else if constexpr (std::is_floating_point_v<E>) {
    for (int64_t d = 0; d < width; ++d) out[d] = static_cast<E>(read_element(data, dtype, d));
  }
  std::fill(out + width, out + pitch, E{});
}

template <class E>
void ClassArrays<E>::plan(const SampledProblem& problem, bool full, int64_t pitch, Layout& uploads, Layout& scratch) {
  p_ = &problem;
  pitch_ = pitch;
  const SampledProblem& p = problem;
  const int64_t uses = full ? p.num_classes : labels() + p.num_sampled;
  by_class_ = full || uses >= p.num_classes;
  const int64_t rows = by_class_ ? p.num_classes : uses;
  const auto converted = [](const Shard& shard) { return shard.table && shard.dtype != dtype_of<E>; };
  if (any_shard(p.weights, in_host)) uploads.add(host_rows_, rows * pitch);
  if (any_shard(p.weights, converted)) {
    scratch.add(converted_rows_, rows * pitch);
    conversions_.plan(uploads, p.weights, rows, full);
  }
  if (full && p.weights.num_shards == 1 && in_table(p.weights.shards[0]) && !conversions_.planned()) {
    columns_are_ = p.weights.shards[0].table;
    scratch.add(column_rows.device, p.num_sampled);
  } else {
    uploads.add(column_rows, p.num_sampled);
  }
  uploads.add(label_rows, labels());
  if (!p.biases.num_shards) return;
  uploads.add(column_bias, p.num_sampled);
  uploads.add(label_bias, labels());
  if (!any_shard(p.biases, in_table)) return;
  column_biases_.plan(uploads, p.biases, p.num_sampled, full);
  label_biases_.plan(uploads, p.biases, labels(), false);
}

template <class E>
void ClassArrays<E>::fill() {
  const SampledProblem& p = *p_;
  if (by_class_ && (host_rows_ || converted_rows_)) filled_.assign(static_cast<size_t>(p.num_classes), false);
  for (int64_t i = 0; i < labels(); ++i) label_rows.host[i] = row_for(p.labels[i], i);
  for (int64_t c = 0; !columns_are_ && c < p.num_sampled; ++c) {
    column_rows.host[c] = row_for(class_of(c), labels() + c);
  }
  conversions_.fill();
  if (p.biases.num_shards) fill_biases();
}

template <class E>
const E* ClassArrays<E>::row_for(int64_t id, int64_t use) {
  const ClassRows& weights = p_->weights;
  const RowLocation at = locate_row(id, weights.rows, weights.num_shards, weights.partition);
  const Shard& shard = weights.shards[at.shard];
  if (shard.table && shard.dtype == dtype_of<E>) return reinterpret_cast<const E*>(shard.table->row(at.row));
  const int64_t row = by_class_ ? id : use;
  const bool first = !by_class_ || !filled_[static_cast<size_t>(id)];
  if (by_class_) filled_[static_cast<size_t>(id)] = true;
  if (shard.table) {
    if (first) conversions_.add(at.shard, at.row, row);
    return converted_rows_ + row * pitch_;
  }
  if (first) {
    const StoredRow stored = stored_row(weights, id);
    read_row(stored.data, stored.dtype, p_->dim, pitch_, host_rows_.host + row * pitch_);
  }
  return host_rows_.device + row * pitch_;
}

template <class E>
void ClassArrays<E>::fill_biases() {
  const ClassRows& biases = p_->biases;
  const auto fill = [&](int64_t id, int64_t place, double* host, TableGather& gather) {
    const RowLocation at = locate_row(id, biases.rows, biases.num_shards, biases.partition);
    const bool there = in_table(biases.shards[at.shard]);
    if (there) gather.add(at.shard, at.row, place);
    host[place] = there ? 0 : read_bias(biases, id);
  };
  for (int64_t c = 0; c < p_->num_sampled; ++c) fill(class_of(c), c, column_bias.host, column_biases_);
  for (int64_t i = 0; i < labels(); ++i) fill(p_->labels[i], i, label_bias.host, label_biases_);
  column_biases_.fill();
  label_biases_.fill();
}

template <class E>
Status ClassArrays<E>::gather(const Queue& queue) const {
  Status status = conversions_.copy(queue, p_->dim, dtype_of<E>, converted_rows_);
  if (status.ok()) status = column_biases_.copy_biases(queue, column_bias.device);
  if (status.ok()) status = label_biases_.copy_biases(queue, label_bias.device);
  if (status.ok() && columns_are_ && p_->num_sampled) {
    auto** out = reinterpret_cast<const void**>(const_cast<const E**>(column_rows.device));
    status =
        check(row_pointers(queue, p_->num_sampled, columns_are_->rows_from(0), out), "launch of kernel row_pointers");
  }
  return status;
}

template void read_row(const void*, DType, int64_t, int64_t, float*);
template void read_row(const void*, DType, int64_t, int64_t, double*);
template void read_row(const void*, DType, int64_t, int64_t, BFloat16*);
template void read_row(const void*, DType, int64_t, int64_t, Float16*);
template class ClassArrays<float>;
template class ClassArrays<double>;
template class ClassArrays<BFloat16>;
template class ClassArrays<Float16>;

}  // namespace cuda
}  // namespace sampled_softmax
