#include "core/table_update.h"

#include <algorithm>
#include <new>
#include <vector>

#include "core/elements.h"
#include "core/radix_sort.h"

namespace sampled_softmax {
namespace {

constexpr int64_t kBlockElements = 1 << 13;
constexpr int64_t kColumns = 256;  // of a sum held at a time

bool strictly_ascending(const int64_t* rows, int64_t count) {
  return std::adjacent_find(rows, rows + count, [](int64_t a, int64_t b) { return a >= b; }) == rows + count;
}

RowGroups group(const int64_t* rows, int64_t count) {
  RowGroups groups;
  groups.count = count;
  if (strictly_ascending(rows, count)) return groups;
  std::vector<Keyed> order(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) order[k] = {rows[k], k};
  sort_by_key(order);
  groups.member.resize(order.size());
  for (int64_t k = 0; k < count; ++k) {
    groups.member[k] = order[k].item;
    if (k == 0 || order[k].key != order[k - 1].key) groups.start.push_back(k);
  }
  groups.count = static_cast<int64_t>(groups.start.size());
  groups.start.push_back(count);
  return groups;
}

Status cannot_sort(int64_t count) {
  return Status::error(Code::out_of_memory, "not enough memory to sort %lld row indices",
                       static_cast<long long>(count));
}

template <class T, class V>
void add_one(typename T::Type* __restrict row, const typename V::Type* __restrict values, int64_t dim, double scale) {
  for (int64_t d = 0; d < dim; ++d) row[d] = T::store(T::load(row[d]) + scale * V::load(values[d]));
}

template <class T, class V>
void add_group(typename T::Type* row, const typename V::Type* values, const int64_t* members, int64_t count,
               int64_t dim, double scale) {
  double sum[kColumns];
  for (int64_t from = 0; from < dim; from += kColumns) {
    const int64_t columns = std::min(kColumns, dim - from);
    std::fill_n(sum, columns, 0.0);
    for (int64_t m = 0; m < count; ++m) {
      const auto* occurrence = values + members[m] * dim + from;
      for (int64_t d = 0; d < columns; ++d) sum[d] += V::load(occurrence[d]);
    }
    add_one<T, Element<DType::float64>>(row + from, sum, columns, scale);
  }
}

// The rows of a big table are far apart: their first lines are asked for some rows ahead.
constexpr int64_t kAhead = 4;

void prefetch(const void* memory, size_t bytes) {
#if defined(__GNUC__)
  for (size_t at = 0; at < std::min<size_t>(bytes, 512); at += 64) {
    __builtin_prefetch(static_cast<const char*>(memory) + at, 1);
  }
#else
  (void)memory, (void)bytes;
#endif
}

template <class T, class V>
void add_block(Table& table, const int64_t* rows, const RowGroups& groups, int64_t begin, int64_t end,
               const typename V::Type* values, double scale) {
  const int64_t dim = table.dim();
  const auto row_of = [&](int64_t g) {
    return static_cast<typename T::Type*>(table.data()) + rows[groups.at(groups.begin(g))] * dim;
  };
  for (int64_t g = begin; g < end; ++g) {
    if (g + kAhead < end) prefetch(row_of(g + kAhead), table.row_bytes());
    const int64_t first = groups.begin(g), members = groups.end(g) - first;
    if (members == 1) {
      add_one<T, V>(row_of(g), values + groups.at(first) * dim, dim, scale);
    } else {
      add_group<T, V>(row_of(g), values, &groups.member[first], members, dim, scale);
    }
  }
}

}  // namespace

Status group_rows(const int64_t* rows, int64_t count, RowGroups& groups) try {
  groups = group(rows, count);
  return {};
} catch (const std::bad_alloc&) {
  return cannot_sort(count);
}

Status add_rows(Table& table, const int64_t* rows, int64_t count, const void* values, DType dtype, double scale,
                ParallelFor parallel_for) try {
  if (table.dim() == 0) return {};
  const RowGroups groups = group(rows, count);
  const int64_t block = std::max<int64_t>(1, kBlockElements / table.dim());
  with_element(table.dtype(), [&](auto table_element) {
    with_element(dtype, [&](auto value_element) {
      using T = decltype(table_element);
      using V = decltype(value_element);
      for_blocks(parallel_for, groups.count, block, [&](int64_t begin, int64_t end) {
        add_block<T, V>(table, rows, groups, begin, end, static_cast<const typename V::Type*>(values), scale);
      });
    });
  });
  return {};
} catch (const std::bad_alloc&) {
  return cannot_sort(count);
}

Status find_repeat(const int64_t* rows, int64_t count, int64_t& earlier, int64_t& again) try {
  earlier = again = -1;
  const RowGroups groups = group(rows, count);
  if (groups.count == count) return {};
  for (int64_t g = 0; g < groups.count; ++g) {
    if (groups.end(g) - groups.begin(g) == 1) continue;
    const int64_t second = groups.at(groups.begin(g) + 1);
    if (again < 0 || second < again) {
      earlier = groups.at(groups.begin(g));
      again = second;
    }
  }
  return {};
} catch (const std::bad_alloc&) {
  return cannot_sort(count);
}

}  // namespace sampled_softmax
