// A table in a device's memory, and calls on it that have ended when they return.
#pragma once

#include <cstdint>
#include <vector>

#include "check.h"
#include "core/backend.h"

namespace sampled_softmax {

// start(pending) starts a call.
template <class Start>
Status run_call(const Backend& backend, Start&& start) {
  PendingCall* pending = nullptr;
  const Status status = start(&pending);
  CHECK(status.ok() || !pending, "a call that was refused is pending");
  return status.ok() && pending ? backend.finish(pending) : status;
}

struct TableOnDevice {
  const Backend& backend;
  const TableShape shape;
  DeviceTable* table = nullptr;

  TableOnDevice(const Backend& backend, const TableShape& shape) : backend(backend), shape(shape) {}
  ~TableOnDevice() { destroy(); }
  TableOnDevice(const TableOnDevice&) = delete;
  TableOnDevice& operator=(const TableOnDevice&) = delete;

  void destroy() {
    if (table) backend.tables->destroy_table(table);
    table = nullptr;
  }
  Status create(const Initializer& initializer) {
    const Status status = run_call(backend, [&](PendingCall** pending) {
      return backend.tables->create_table(shape, initializer, {}, &table, pending);
    });
    CHECK(status.ok() == (table != nullptr), "%s", status.message);
    return status;
  }
  Status read(const RowChoice& rows, DType dtype, std::vector<char>* out) {
    out->assign(static_cast<size_t>(rows.count * shape.dim) * size_of(dtype), '\xa5');
    return run_call(backend, [&](PendingCall** pending) {
      return backend.tables->start_read_rows(*table, rows, out->data(), dtype, {}, pending);
    });
  }
  Status write(const RowChoice& rows, const void* values, DType dtype) {
    return run_call(backend, [&](PendingCall** pending) {
      return backend.tables->start_write_rows(*table, rows, values, dtype, {}, pending);
    });
  }
  Status add(const RowChoice& rows, const RowsToAdd& values, double scale) {
    return run_call(backend, [&](PendingCall** pending) {
      return backend.tables->start_add_rows(*table, rows, values, scale, {}, pending);
    });
  }
};

}  // namespace sampled_softmax
