// Copies of a table's rows, out of it and into it. Indices are in [0, rows); null stands for 0, 1, 2, ...
// The caller holds the table's lock.
#pragma once

#include <cstdint>

#include "core/parallel.h"
#include "core/table.h"

namespace sampled_softmax {

// out[k] = table[rows[k]], [count, dim] of `dtype`.
void read_rows(const Table& table, const int64_t* rows, int64_t count, void* out, DType dtype,
               ParallelFor parallel_for);

// table[rows[k]] = values[k]. No row may occur twice.
void write_rows(Table& table, const int64_t* rows, int64_t count, const void* values, DType dtype,
                ParallelFor parallel_for);

// Rows [start, start + count) as they are stored.
void copy_rows(const Table& table, int64_t start, int64_t count, void* out, ParallelFor parallel_for);

}  // namespace sampled_softmax
