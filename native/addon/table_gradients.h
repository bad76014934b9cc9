// Rows of gradients that losses left on a device, as JavaScript sees them: type-tagged handles, until table.add or a
// copy to the host.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "core/backend.h"

namespace sampled_softmax {

// Shared by the handle and the calls that use the rows.
class KeptRows {
 public:
  KeptRows(const Backend& backend, int32_t device, int64_t count, int64_t width, bool float64)
      : backend_(backend), device_(device), count_(count), width_(width), float64_(float64) {}
  ~KeptRows() {
    if (rows_) backend_.tables->destroy_gradients(rows_);
  }
  KeptRows(const KeptRows&) = delete;
  KeptRows& operator=(const KeptRows&) = delete;

  // Where a loss puts them.
  DeviceRows** place() { return &rows_; }
  DeviceRows* rows() const { return rows_; }

  const Backend& backend() const { return backend_; }
  int32_t device() const { return device_; }
  int64_t count() const { return count_; }
  int64_t width() const { return width_; }
  DType dtype() const { return float64_ ? DType::float64 : DType::float32; }
  size_t bytes() const { return static_cast<size_t>(count_ * width_) * size_of(dtype()); }

 private:
  const Backend& backend_;
  const int32_t device_;
  const int64_t count_, width_;
  const bool float64_;
  DeviceRows* rows_ = nullptr;
};

// A new handle.
Napi::Value make_gradients_handle(Napi::Env env, std::shared_ptr<KeptRows> rows);
// The rows behind a handle. Throws ERR_DISPOSED where it has been disposed.
std::shared_ptr<KeptRows> read_gradients(Napi::Env env, napi_value value);

void register_table_gradients(Napi::Env env, Napi::Object exports);

}  // namespace sampled_softmax
