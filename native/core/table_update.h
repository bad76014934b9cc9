// Sums added to rows of a table, and the search for rows that are named twice.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.h"
#include "core/table.h"

namespace sampled_softmax {

// table[rows[k]] += scale * values[k] for k in [0, count), values [count, dim] of `dtype`; indices are in
// [0, table.rows()). The values of a row that occurs more than once are summed first, in their order. All in double,
// and rounded once to the table's dtype (to nearest, ties to even): an element becomes round(element + scale * sum).
// The caller holds the table's lock. Fails only where no memory is left, before anything is written.
Status add_rows(Table& table, const int64_t* rows, int64_t count, const void* values, DType dtype, double scale,
                ParallelFor parallel_for);

// Positions [0, n) of row indices, so that those of one row stand together, in their order.
struct RowGroups {
  std::vector<int64_t> member;  // positions; empty: 0, 1, 2, ... and every group has one
  std::vector<int64_t> start;   // [count + 1] into `member`
  int64_t count = 0;            // groups

  int64_t begin(int64_t group) const { return member.empty() ? group : start[static_cast<size_t>(group)]; }
  int64_t end(int64_t group) const { return begin(group + 1); }
  int64_t at(int64_t place) const { return member.empty() ? place : member[static_cast<size_t>(place)]; }
};

// Fails only where no memory is left.
Status group_rows(const int64_t* rows, int64_t count, RowGroups& groups);

// The first position that names a row which an earlier one names too, and that earlier one; both -1: none.
Status find_repeat(const int64_t* rows, int64_t count, int64_t& earlier, int64_t& again);

}  // namespace sampled_softmax
