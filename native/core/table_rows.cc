#include "core/table_rows.h"

#include <algorithm>
#include <cstring>

#include "core/elements.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kBlockBytes = 1 << 16;

int64_t rows_per_block(size_t row_bytes) {
  return std::max<int64_t>(1, kBlockBytes / std::max<int64_t>(1, static_cast<int64_t>(row_bytes)));
}

void convert(const void* from, DType from_dtype, void* to, DType to_dtype, int64_t length) {
  with_element(from_dtype, [&](auto from_element) {
    with_element(to_dtype, [&](auto to_element) {
      using From = decltype(from_element);
      using To = decltype(to_element);
      const auto* source = static_cast<const typename From::Type*>(from);
      auto* target = static_cast<typename To::Type*>(to);
      for (int64_t i = 0; i < length; ++i) target[i] = To::store(From::load(source[i]));
    });
  });
}

// Row from_rows[k] of `from` to row to_rows[k] of `to`.
void copy(const void* from, DType from_dtype, const int64_t* from_rows, void* to, DType to_dtype,
          const int64_t* to_rows, int64_t count, int64_t dim, ParallelFor parallel_for) {
  if (dim == 0) return;
  const size_t from_bytes = static_cast<size_t>(dim) * size_of(from_dtype);
  const size_t to_bytes = static_cast<size_t>(dim) * size_of(to_dtype);
  for_blocks(parallel_for, count, rows_per_block(std::max(from_bytes, to_bytes)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const auto source = static_cast<size_t>(from_rows ? from_rows[k] : k);
      const auto target = static_cast<size_t>(to_rows ? to_rows[k] : k);
      const void* source_row = static_cast<const char*>(from) + source * from_bytes;
      void* target_row = static_cast<char*>(to) + target * to_bytes;
      if (from_dtype == to_dtype) {
        std::memcpy(target_row, source_row, from_bytes);
      } else {
        convert(source_row, from_dtype, target_row, to_dtype, dim);
      }
    }
  });
}

}  // namespace

void read_rows(const Table& table, const int64_t* rows, int64_t count, void* out, DType dtype,
               ParallelFor parallel_for) {
  copy(table.data(), table.dtype(), rows, out, dtype, nullptr, count, table.dim(), parallel_for);
}

void write_rows(Table& table, const int64_t* rows, int64_t count, const void* values, DType dtype,
                ParallelFor parallel_for) {
  copy(values, dtype, nullptr, table.data(), table.dtype(), rows, count, table.dim(), parallel_for);
}

void copy_rows(const Table& table, int64_t start, int64_t count, void* out, ParallelFor parallel_for) {
  const char* from = static_cast<const char*>(table.data()) + static_cast<size_t>(start) * table.row_bytes();
  copy(from, table.dtype(), nullptr, out, table.dtype(), nullptr, count, table.dim(), parallel_for);
}

}  // namespace sampled_softmax
