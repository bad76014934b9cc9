// Rows of tables, and gradients that a loss left on the device, to the host.
#include <algorithm>
#include <cstring>

#include "cuda/errors.h"
#include "cuda/kernels/tables.h"
#include "cuda/rows_call.h"
#include "cuda/table_calls.h"

namespace sampled_softmax {
namespace cuda {
namespace {

// Into arrays of the host: gathered and converted on the device, or straight from rows that lie together.
class ReadCall final : public RowsCall {
 public:
  ReadCall(Device& device, DeviceTable& table, const RowChoice& rows, void* out, DType dtype)
      : RowsCall(device, "read", rows.count, table.dim), table_(table), rows_(rows), out_(out), dtype_(dtype) {}

 private:
  int64_t staged_pitch() const { return padded_row(dim_, dtype_); }
  int64_t staged_row() const { return staged_pitch() * static_cast<int64_t>(size_of(dtype_)); }

  Status enqueue() override {
    uses_.read(table_);
    Status status = uses_.wait(stream());
    const int64_t each = rows_of_stage(staged_row());
    for (int64_t at = 0; status.ok() && at < count_; at += each) {
      Stage* stage;
      const int64_t count = std::min(each, count_ - at);
      status = stages_.next(
          at, count, rows_.indices ? count : 0, 0, static_cast<size_t>(count * staged_row()),
          [this](const Stage& full) { empty(full); }, &stage);
      if (status.ok()) status = send(*stage);
    }
    return status.ok() ? uses_.done(stream()) : status;
  }

  Status send(Stage& stage) {
    const size_t bytes = static_cast<size_t>(stage.count * staged_row());
    const void* from = stage.values.device;
    Status status;
    if (!rows_.indices && dtype_ == table_.dtype) {
      from = table_.row(rows_.start + stage.first);
    } else {
      RowsOf source = table_.rows_from(rows_.start + stage.first);
      if (rows_.indices) {
        for (int64_t k = 0; k < stage.count; ++k) stage.index.host[k] = table_.first + rows_.indices[stage.first + k];
        status = copy(stage.index.device, stage.index.host, static_cast<size_t>(stage.count) * sizeof(int64_t),
                      cudaMemcpyHostToDevice);
        source = table_.rows_at(stage.index.device);
      }
      const RowsOf target{stage.values.device, dtype_, staged_pitch(), nullptr};
      if (status.ok()) {
        status = check(copy_rows(queue(), stage.count, dim_, source, target), "launch of kernel copy_rows");
      }
    }
    if (status.ok()) status = copy(stage.values.host, from, bytes, cudaMemcpyDeviceToHost);
    return status.ok() ? stages_.sent(stage) : status;
  }

  void empty(const Stage& stage) {
    const size_t row = static_cast<size_t>(dim_) * size_of(dtype_);
    char* to = static_cast<char*>(out_) + static_cast<size_t>(stage.first) * row;
    for (int64_t k = 0; k < stage.count; ++k) {
      std::memcpy(to + static_cast<size_t>(k) * row, stage.values.host + k * staged_row(), row);
    }
  }

  Status complete() override {
    return stages_.finish([this](const Stage& full) { empty(full); });
  }

  DeviceTable& table_;
  const RowChoice rows_;
  void* const out_;
  const DType dtype_;
};

class ReadGradientsCall final : public RowsCall {
 public:
  ReadGradientsCall(Device& device, DeviceRows& rows, int64_t first, int64_t count, void* out)
      : RowsCall(device, "read gradients,", count, rows.width), rows_(rows), first_(first), out_(out) {}

 private:
  Status enqueue() override {
    const int64_t each = rows_of_stage(rows_.row_bytes());
    Status status;
    for (int64_t at = 0; status.ok() && at < count_; at += each) {
      Stage* stage;
      const int64_t count = std::min(each, count_ - at);
      const auto bytes = static_cast<size_t>(count * rows_.row_bytes());
      status = stages_.next(
          at, count, 0, 0, bytes, [this](const Stage& full) { empty(full); }, &stage);
      if (status.ok()) status = copy(stage->values.host, rows_.row(first_ + at), bytes, cudaMemcpyDeviceToHost);
      if (status.ok()) status = stages_.sent(*stage);
    }
    return status;
  }
  void empty(const Stage& stage) {
    std::memcpy(static_cast<char*>(out_) + stage.first * rows_.row_bytes(), stage.values.host,
                static_cast<size_t>(stage.count * rows_.row_bytes()));
  }
  Status complete() override {
    return stages_.finish([this](const Stage& full) { empty(full); });
  }

  DeviceRows& rows_;
  const int64_t first_;
  void* const out_;
};

}  // namespace

Status start_read_rows(DeviceTable& table, const RowChoice& rows, void* out, DType dtype, Notify notify,
                       PendingCall** pending) {
  *pending = nullptr;
  if (rows.count == 0 || table.dim == 0) return table.device->state();
  return start_call<ReadCall>(*table.device, notify, pending, table, rows, out, dtype);
}

Status start_read_gradients(DeviceRows& rows, int64_t first, int64_t count, void* out, Notify notify,
                            PendingCall** pending) {
  *pending = nullptr;
  if (count == 0 || rows.width == 0) return rows.device->state();
  return start_call<ReadGradientsCall>(*rows.device, notify, pending, rows, first, count, out);
}

}  // namespace cuda
}  // namespace sampled_softmax
