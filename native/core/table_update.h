// Sums added to rows of a table, and the search for rows that are named twice.
#pragma once

#include <cstdint>

#include "core/parallel.h"
#include "core/table.h"

namespace sampled_softmax {

// table[rows[k]] += scale * values[k] for k in [0, count), values [count, dim] of `dtype`; indices are in
// [0, table.rows()). The values of a row that occurs more than once are summed first, in their order. All in double,
// and rounded once to the table's dtype (to nearest, ties to even): an element becomes round(element + scale * sum).
// The caller holds the table's lock. Fails only where no memory is left, before anything is written.
Status add_rows(Table& table, const int64_t* rows, int64_t count, const void* values, DType dtype, double scale,
                ParallelFor parallel_for);

// The first position that names a row which an earlier one names too, and that earlier one; both -1: none.
Status find_repeat(const int64_t* rows, int64_t count, int64_t& earlier, int64_t& again);

}  // namespace sampled_softmax
