// What the host side launches for tables; the kernels are in table_*.cu. They are built without fused products, so that
// a table has the same bits as on the CPU. All indices are 64 bits: a table may have more than 2^31 rows, and a matrix
// more than 2^31 elements with far fewer.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/dtype.h"
#include "core/initial_values.h"
#include "cuda/queue.h"

namespace sampled_softmax {
namespace cuda {

// Elements from one row to the next of a matrix whose rows begin at 16 bytes and end in zeros.
static inline int64_t padded_row(int64_t dim, DType dtype) {
  const int64_t each = 16 / static_cast<int64_t>(size_of(dtype));
  return (dim + each - 1) / each * each;
}

// Rows of a matrix in device memory, with padded rows unless said otherwise; aligned to 16 bytes.
struct RowsOf {
  void* data = nullptr;  // of row 0
  DType dtype = DType::float32;
  int64_t pitch = 0;               // elements
  const int64_t* index = nullptr;  // the k-th row is row index[k]; null: k
};

// Rows [first, first + count) of a table of [rows, dim], as core/initial_values.h says; not for zeros. Padding too.
cudaError_t initialize_rows(const Queue& queue, const RowsOf& to, int64_t first, int64_t count, int64_t rows,
                            int64_t dim, const Initializer& initializer);

// The k-th row of `to` = the k-th row of `from`, rounded to its dtype, and zeros in its padding.
cudaError_t copy_rows(const Queue& queue, int64_t count, int64_t dim, const RowsOf& from, const RowsOf& to);

// Row index[s] of `to` += scale * the sum of values [starts[s], starts[s + 1]), in double, rounded once; without
// `starts` value s alone. `values` have no index; their rows may be dense (pitch = dim) where they are not of 16 bits.
cudaError_t add_rows(const Queue& queue, int64_t count, int64_t dim, const RowsOf& values, const int64_t* starts,
                     double scale, const RowsOf& to);

// out[to[k]] = the first element of the k-th row; out[k] without `to`.
cudaError_t gather_biases(const Queue& queue, int64_t count, const RowsOf& from, const int64_t* to, double* out);

// out[k] = the address of row k.
cudaError_t row_pointers(const Queue& queue, int64_t count, const RowsOf& rows, const void** out);

}  // namespace cuda
}  // namespace sampled_softmax
