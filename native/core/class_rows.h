// Reading rows of a parameter by class, wherever its shards and dtype put them.
//
// `static inline` throughout: files compiled for wider instruction sets include this.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/problem.h"

namespace sampled_softmax {

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

// What follows of a row from dim `d` on.
static inline StoredRow from_dim(const StoredRow& row, int64_t d) {
  return {static_cast<const char*>(row.data) + static_cast<size_t>(d) * size_of(row.dtype), row.dtype};
}

// Element i of values stored as `dtype`.
static inline double read_element(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::float32: return static_cast<const float*>(data)[i];
    case DType::float64: return static_cast<const double*>(data)[i];
    case DType::float16: return float16_to_float(static_cast<const uint16_t*>(data)[i]);
    default: return bfloat16_to_float(static_cast<const uint16_t*>(data)[i]);
  }
}

// The bias of a class; zero where there are none.
static inline double read_bias(const ClassRows& biases, int64_t id) {
  if (!biases.num_shards) return 0;
  const StoredRow row = stored_row(biases, id);
  return read_element(row.data, row.dtype, 0);
}

}  // namespace sampled_softmax
