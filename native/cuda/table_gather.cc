#include "cuda/table_gather.h"

#include "cuda/errors.h"
#include "cuda/kernels/tables.h"

namespace sampled_softmax {
namespace cuda {

void TableGather::plan(Layout& uploads, const ClassRows& rows, int64_t most, bool all) {
  rows_ = &rows;
  all_ = all && rows.num_shards == 1;
  if (all_) return;
  uploads.add(from_, most);
  uploads.add(to_, most);
}

void TableGather::fill() {
  if (!rows_ || all_) return;
  starts_.assign(static_cast<size_t>(rows_->num_shards) + 1, 0);
  for (const Copy& copy : copies_) ++starts_[static_cast<size_t>(copy.shard) + 1];
  for (size_t i = 1; i < starts_.size(); ++i) starts_[i] += starts_[i - 1];
  std::vector<int64_t> next(starts_.begin(), starts_.end() - 1);
  for (const Copy& copy : copies_) {
    const int64_t place = next[static_cast<size_t>(copy.shard)]++;
    from_.host[place] = rows_->shards[copy.shard].table->first + copy.from;
    to_.host[place] = copy.to;
  }
}

// one(rows, count, to): of each shard that has any.
template <class Launch>
Status TableGather::launch(const char* kernel, Launch&& one) const {
  if (!rows_) return {};
  for (int32_t i = 0; i < rows_->num_shards; ++i) {
    const Shard& shard = rows_->shards[i];
    if (!shard.table) continue;
    const int64_t begin = all_ ? 0 : starts_[static_cast<size_t>(i)];
    const int64_t count = all_ ? shard.rows : starts_[static_cast<size_t>(i) + 1] - begin;
    if (count == 0) continue;
    const RowsOf rows = all_ ? shard.table->rows_from(0) : shard.table->rows_at(from_.device + begin);
    const cudaError_t error = one(rows, count, all_ ? nullptr : to_.device + begin);
    if (Status status = check(error, "launch of kernel %s", kernel); !status.ok()) return status;
  }
  return {};
}

Status TableGather::copy(const Queue& queue, int64_t dim, DType dtype, void* to) const {
  if (dim == 0) return {};
  return launch("copy_rows", [&](const RowsOf& rows, int64_t count, const int64_t* index) {
    return copy_rows(queue, count, dim, rows, {to, dtype, padded_row(dim, dtype), index});
  });
}

Status TableGather::copy_biases(const Queue& queue, double* to) const {
  return launch("gather_biases", [&](const RowsOf& rows, int64_t count, const int64_t* index) {
    return gather_biases(queue, count, rows, index, to);
  });
}

}  // namespace cuda
}  // namespace sampled_softmax
