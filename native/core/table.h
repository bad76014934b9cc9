// A parameter that the package owns: [rows, dim] elements of one dtype, row-major, outside JavaScript's heap.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>

#include "core/dtype.h"
#include "core/status.h"
#include "core/zeroed_memory.h"

namespace sampled_softmax {

class Table {
 public:
  // All zeros, not a page of it touched. Code::out_of_memory, before anything is allocated, where it would not fit.
  static Status create(int64_t rows, int64_t dim, DType dtype, std::shared_ptr<Table>& table);

  void* data() { return memory_.data(); }
  const void* data() const { return memory_.data(); }
  int64_t rows() const { return rows_; }
  int64_t dim() const { return dim_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return memory_.bytes(); }
  size_t row_bytes() const { return static_cast<size_t>(dim_) * size_of(dtype_); }

  // Held shared by whoever reads the elements, exclusively by whoever writes them, for as long as the call runs.
  std::shared_mutex& mutex() const { return mutex_; }

 private:
  Table(int64_t rows, int64_t dim, DType dtype) : rows_(rows), dim_(dim), dtype_(dtype) {}

  int64_t rows_, dim_;
  DType dtype_;
  ZeroedMemory memory_;
  mutable std::shared_mutex mutex_;
};

// Tokens by which threads of this process pass tables to each other: 32 hexadecimal digits from the system's random
// numbers. A token finds its table for as long as anybody holds the table; the same table has the same token.
std::string table_token(const std::shared_ptr<Table>& table);
std::shared_ptr<Table> find_table(const std::string& token);  // null: none, or gone

}  // namespace sampled_softmax
