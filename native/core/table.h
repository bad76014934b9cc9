// A parameter that the package owns: [rows, dim] elements of one dtype, row-major, outside JavaScript's heap, or in the
// memory of a device.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>

#include "core/dtype.h"
#include "core/status.h"
#include "core/zeroed_memory.h"

namespace sampled_softmax {

struct Backend;
struct DeviceTable;
struct Initializer;
struct Notify;
struct PendingCall;

class Table {
 public:
  ~Table();
  // All zeros, not a page of it touched. Code::out_of_memory, before anything is allocated, where it would not fit.
  static Status create(int64_t rows, int64_t dim, DType dtype, std::shared_ptr<Table>& table);
  // On a device of the backend, as Backend::create_table says.
  static Status create_on(const Backend& backend, int32_t device, int64_t rows, int64_t dim, DType dtype,
                          const Initializer& initializer, Notify notify, std::shared_ptr<Table>& table,
                          PendingCall** pending);

  // Null where the elements are a device's.
  void* data() { return memory_.data(); }
  const void* data() const { return memory_.data(); }
  // Null where they are in the host's memory; of backend() and its device() then.
  DeviceTable* on_device() const { return on_device_; }
  const Backend* backend() const { return backend_; }
  int32_t device() const { return device_; }

  int64_t rows() const { return rows_; }
  int64_t dim() const { return dim_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return static_cast<size_t>(rows_) * row_bytes(); }
  size_t row_bytes() const { return static_cast<size_t>(dim_) * size_of(dtype_); }

  // Held shared by whoever reads the elements, exclusively by whoever writes them, for as long as the call runs; on a
  // device while it is started.
  std::shared_mutex& mutex() const { return mutex_; }

 private:
  Table(int64_t rows, int64_t dim, DType dtype) : rows_(rows), dim_(dim), dtype_(dtype) {}

  int64_t rows_, dim_;
  DType dtype_;
  ZeroedMemory memory_;
  const Backend* backend_ = nullptr;
  DeviceTable* on_device_ = nullptr;
  int32_t device_ = 0;
  mutable std::shared_mutex mutex_;
};

// Tokens by which threads of this process pass tables to each other: 32 hexadecimal digits from the system's random
// numbers. A token finds its table for as long as anybody holds the table; the same table has the same token.
std::string table_token(const std::shared_ptr<Table>& table);
std::shared_ptr<Table> find_table(const std::string& token);  // null: none, or gone

}  // namespace sampled_softmax
