// Rows of the host into tables, and what is added to their rows.
#include <algorithm>
#include <cstring>

#include "core/table_update.h"
#include "cuda/errors.h"
#include "cuda/kernels/tables.h"
#include "cuda/rows_call.h"
#include "cuda/table_calls.h"

namespace sampled_softmax {
namespace cuda {
namespace {

// What values of the host's become on their way: rows that begin at 16 bytes and end in zeros.
class UploadCall : public RowsCall {
 protected:
  UploadCall(Device& device, DeviceTable& table, const char* verb, const RowChoice& rows, const void* values,
             DType dtype)
      : RowsCall(device, verb, rows.count, table.dim), table_(table), rows_(rows), values_(values), dtype_(dtype) {}

  int64_t staged_pitch() const { return padded_row(dim_, dtype_); }
  int64_t staged_row() const { return staged_pitch() * static_cast<int64_t>(size_of(dtype_)); }
  RowsOf staged(const Stage& stage) const { return {stage.values.device, dtype_, staged_pitch(), nullptr}; }

  void fill_value(const Stage& stage, int64_t k, int64_t position) {
    const size_t row = static_cast<size_t>(dim_) * size_of(dtype_);
    char* to = stage.values.host + k * staged_row();
    std::memcpy(to, static_cast<const char*>(values_) + static_cast<size_t>(position) * row, row);
    std::memset(to + row, 0, static_cast<size_t>(staged_row()) - row);
  }
  int64_t row_index(int64_t position) const {
    return table_.first + (rows_.indices ? rows_.indices[position] : rows_.start + position);
  }
  Status complete() override {
    return stages_.finish([](const Stage&) {});
  }

  DeviceTable& table_;
  const RowChoice rows_;
  const void* const values_;
  const DType dtype_;
};

class WriteCall final : public UploadCall {
 public:
  WriteCall(Device& device, DeviceTable& table, const RowChoice& rows, const void* values, DType dtype)
      : UploadCall(device, table, "write", rows, values, dtype) {}

 private:
  Status enqueue() override {
    uses_.write(table_);
    Status status = uses_.wait(stream());
    const int64_t each = rows_of_stage(staged_row());
    for (int64_t at = 0; status.ok() && at < count_; at += each) {
      Stage* stage;
      const int64_t count = std::min(each, count_ - at);
      status = stages_.next(
          at, count, rows_.indices ? count : 0, 0, static_cast<size_t>(count * staged_row()), [](const Stage&) {},
          &stage);
      if (status.ok()) status = send(*stage);
    }
    return status.ok() ? uses_.done(stream()) : status;
  }

  Status send(Stage& stage) {
    for (int64_t k = 0; k < stage.count; ++k) {
      fill_value(stage, k, stage.first + k);
      if (stage.index) stage.index.host[k] = row_index(stage.first + k);
    }
    Status status;
    if (!rows_.indices && dtype_ == table_.dtype) {
      status = copy(table_.row(rows_.start + stage.first), stage.values.host,
                    static_cast<size_t>(stage.count * staged_row()), cudaMemcpyHostToDevice);
    } else {
      status = copy(stage.memory, stage.pinned.data(), stage.bytes, cudaMemcpyHostToDevice);
      const RowsOf target =
          stage.index ? table_.rows_at(stage.index.device) : table_.rows_from(rows_.start + stage.first);
      if (status.ok()) {
        status = check(copy_rows(queue(), stage.count, dim_, staged(stage), target), "launch of kernel copy_rows");
      }
    }
    return status.ok() ? stages_.sent(stage) : status;
  }
};

// Values go over in the order of their rows, so that those of one row lie together.
class AddCall final : public UploadCall {
 public:
  AddCall(Device& device, DeviceTable& table, const RowChoice& rows, const RowsToAdd& values, double scale)
      : UploadCall(device, table, "add", rows, values.values, values.dtype),
        kept_(values.on_device),
        first_kept_(values.first),
        scale_(scale) {}

 private:
  Status enqueue() override {
    uses_.write(table_);
    Status status = uses_.wait(stream());
    if (status.ok()) status = kept_ ? add_kept() : add_values();
    return status.ok() ? uses_.done(stream()) : status;
  }

  // No row twice, and nothing to move but the indices.
  Status add_kept() {
    if (count_ == 0) return {};
    Stage* stage;
    Status status = stages_.next(
        0, count_, count_, 0, 0, [](const Stage&) {}, &stage);
    if (!status.ok()) return status;
    for (int64_t k = 0; k < count_; ++k) stage->index.host[k] = row_index(k);
    const RowsOf values{kept_->row(first_kept_), kept_->dtype, kept_->width, nullptr};
    return add(*stage, count_, values);
  }

  Status add_values() {
    RowGroups groups;
    groups.count = count_;  // rows side by side: each by itself
    if (rows_.indices) {
      if (Status status = group_rows(rows_.indices, count_, groups); !status.ok()) return status;
    }
    const int64_t each = rows_of_stage(staged_row());
    for (int64_t g = 0; g < groups.count;) {
      // Whole groups, at least one.
      int64_t end = g + 1;
      while (end < groups.count && groups.end(end) - groups.begin(g) <= each) ++end;
      if (Status status = send(groups, g, end); !status.ok()) return status;
      g = end;
    }
    return {};
  }

  Status send(const RowGroups& groups, int64_t begin, int64_t end) {
    const int64_t first = groups.begin(begin), values = groups.end(end - 1) - first;
    const bool alone = values == end - begin;
    Stage* stage;
    Status status = stages_.next(
        first, values, end - begin, alone ? 0 : end - begin + 1, static_cast<size_t>(values * staged_row()),
        [](const Stage&) {}, &stage);
    if (!status.ok()) return status;
    for (int64_t k = 0; k < values; ++k) fill_value(*stage, k, groups.at(first + k));
    for (int64_t g = begin; g < end; ++g) {
      stage->index.host[g - begin] = row_index(groups.at(groups.begin(g)));
      if (!alone) stage->starts.host[g - begin] = groups.begin(g) - first;
    }
    if (!alone) stage->starts.host[end - begin] = values;
    return add(*stage, end - begin, staged(*stage));
  }

  Status add(Stage& stage, int64_t rows, const RowsOf& values) {
    Status status = copy(stage.memory, stage.pinned.data(), stage.bytes, cudaMemcpyHostToDevice);
    if (status.ok()) {
      status =
          check(add_rows(queue(), rows, dim_, values, stage.starts.device, scale_, table_.rows_at(stage.index.device)),
                "launch of kernel add_rows");
    }
    return status.ok() ? stages_.sent(stage) : status;
  }

  const DeviceRows* const kept_;
  const int64_t first_kept_;
  const double scale_;
};

}  // namespace

Status start_write_rows(DeviceTable& table, const RowChoice& rows, const void* values, DType dtype, Notify notify,
                        PendingCall** pending) {
  *pending = nullptr;
  if (rows.count == 0 || table.dim == 0) return table.device->state();
  return start_call<WriteCall>(*table.device, notify, pending, table, rows, values, dtype);
}

Status start_add_rows(DeviceTable& table, const RowChoice& rows, const RowsToAdd& values, double scale, Notify notify,
                      PendingCall** pending) {
  *pending = nullptr;
  if (rows.count == 0 || table.dim == 0) return table.device->state();
  return start_call<AddCall>(*table.device, notify, pending, table, rows, values, scale);
}

}  // namespace cuda
}  // namespace sampled_softmax
