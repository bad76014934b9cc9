// Reading rows of a parameter by class, wherever its shards and dtype put them.
#pragma once

#include <cstdint>

#include "core/problem.h"
#include "cpu/kernels/kernels.h"

namespace sampled_softmax {

template <class T>
constexpr DType dtype_of() {
  return sizeof(T) == 8 ? DType::float64 : DType::float32;
}

struct StoredRow {
  const void* data;
  DType dtype;
};

static inline StoredRow stored_row(const ClassRows& rows, int64_t id) {
  const RowLocation at = locate_row(id, rows.rows, rows.num_shards, rows.partition);
  const Shard& shard = rows.shards[at.shard];
  return {static_cast<const char*>(shard.data) + static_cast<size_t>(at.row * rows.width) * size_of(shard.dtype),
          shard.dtype};
}

// Rows of a large table are cache and TLB misses. Several are asked for at once before they are needed, by their first
// lines alone: a prefetch that has to find its page holds up what comes after it, so that one row at a time, or a line
// more, gains nothing; the hardware brings the rest of a row.
static inline void prefetch_row(const StoredRow& row) { __builtin_prefetch(row.data); }

// The row as T: in place where it is stored so, else converted into `room`.
template <class T>
static inline const T* read_row(const Kernels<T>& k, const StoredRow& row, int64_t width, T* room) {
  if (row.dtype == dtype_of<T>()) return static_cast<const T*>(row.data);
  k.convert(row.data, row.dtype, width, room);
  return room;
}

// The bias of a class; zero where there are none.
static inline double read_bias(const ClassRows& biases, int64_t id) {
  if (!biases.num_shards) return 0;
  const StoredRow row = stored_row(biases, id);
  switch (row.dtype) {
    case DType::float32: return *static_cast<const float*>(row.data);
    case DType::float64: return *static_cast<const double*>(row.data);
    case DType::float16: return float16_to_float(*static_cast<const uint16_t*>(row.data));
    default: return bfloat16_to_float(*static_cast<const uint16_t*>(row.data));
  }
}

}  // namespace sampled_softmax
