// Tables in the memory of a device, and the order of the calls that use one: on the device, by events, so that no
// thread waits for another's call.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/status.h"
#include "cuda/device.h"
#include "cuda/kernels/tables.h"

namespace sampled_softmax {
namespace cuda {

// A place in a stream that other streams wait for, for as long as anybody wants to.
class Event {
 public:
  // Of the current device; waiting for it on a thread sleeps.
  static Status create(std::shared_ptr<Event>* event);
  Event() = default;
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

// Memory that outlives the call that took it. Freed in the order of a stream, once no call uses it.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  Status allocate(Device& device, const Lane& lane, size_t bytes);
  void* data() const { return data_; }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace cuda

struct DeviceTable {
  cuda::Device* device = nullptr;
  int64_t rows = 0, dim = 0, pitch = 0;  // elements
  DType dtype = DType::float32;
  cuda::DeviceMemory memory;
  // Rows are [first, first + rows) of a matrix at `origin`, and kernels are told so. For tests of large indices: the
  // matrix may be larger than the memory. Otherwise 0, and the memory.
  int64_t first = 0;
  char* origin = nullptr;

  // Calls that were started: the last that writes, and those since that read.
  std::mutex mutex;
  std::shared_ptr<cuda::Event> written;
  std::vector<std::shared_ptr<cuda::Event>> reads;

  int64_t row_bytes() const { return pitch * static_cast<int64_t>(size_of(dtype)); }
  char* row(int64_t i) const { return origin + (first + i) * row_bytes(); }
  // All rows from row `start` on, and rows by index: those of the table plus `first`.
  cuda::RowsOf rows_from(int64_t start) const { return {row(start), dtype, pitch, nullptr}; }
  cuda::RowsOf rows_at(const int64_t* index) const { return {origin, dtype, pitch, index}; }
};

// [count, width] of float or double, rows one after another.
struct DeviceRows {
  cuda::Device* device = nullptr;
  int64_t width = 0;
  DType dtype = DType::float32;
  cuda::DeviceMemory memory;

  int64_t row_bytes() const { return width * static_cast<int64_t>(size_of(dtype)); }
  char* row(int64_t i) const { return static_cast<char*>(memory.data()) + i * row_bytes(); }
};

namespace cuda {

// Room for gradients that stay on the device; none where they do not.
Status make_rows(Device& device, const Lane& lane, const RowGradients& gradients, int64_t width, DType dtype,
                 std::unique_ptr<DeviceRows>* rows);

// The tables that a call uses. The starts of calls on one table do not overlap where one of them writes.
class TableUses {
 public:
  void read(DeviceTable& table) { add(table, false); }
  void write(DeviceTable& table) { add(table, true); }

  // What follows on the stream comes after the calls that it has to come after.
  Status wait(cudaStream_t stream) const;
  // What precedes on the stream is the call.
  Status done(cudaStream_t stream) const;

 private:
  struct Use {
    DeviceTable* table;
    bool writes;
  };
  void add(DeviceTable& table, bool writes);

  std::vector<Use> uses_;
};

Status create_table(const TableShape& shape, const Initializer& initializer, Notify notify, DeviceTable** table,
                    PendingCall** pending);

}  // namespace cuda
}  // namespace sampled_softmax
