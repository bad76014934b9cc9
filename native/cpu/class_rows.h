// Class rows as the kernels want them.
#pragma once

#include <cstdint>

#include "core/class_rows.h"
#include "cpu/kernels/kernels.h"

namespace sampled_softmax {

template <class T>
constexpr DType dtype_of() {
  return sizeof(T) == 8 ? DType::float64 : DType::float32;
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

}  // namespace sampled_softmax
