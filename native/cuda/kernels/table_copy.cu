// Rows in and out of tables, and from them into the arrays of a loss. A copy reads count * pitch * size bytes of one
// dtype and writes as many elements of another, plus 8 bytes of index a row; a conversion is an instruction or two an
// element, through double, so that every pair of dtypes rounds as on the CPU. Bound by memory: whole 32-byte sectors of
// rows that lie anywhere. 24 to 56 registers. The addresses of rows take 8 bytes each, biases a sector.
#include <cstring>
#include <type_traits>

#include "cuda/kernels/table_rows.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class From, class To>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    copy_rows_kernel(const Begun begun, int64_t count, int64_t dim, const typename From::Type* from, int64_t from_pitch,
                     const int64_t* from_index, typename To::Type* to, int64_t to_pitch, const int64_t* to_index,
                     int lanes_log2) {
  begun.note();
  using F = typename From::Type;
  using T = typename To::Type;
  // A piece of N elements never crosses the end of a padded row of either dtype.
  constexpr int kWidth = 16 / static_cast<int>(sizeof(F) > sizeof(T) ? sizeof(F) : sizeof(T));
  const int64_t step = int64_t{kWidth} << lanes_log2;
  for (int64_t k = first_row(lanes_log2); k < count; k += row_stride(lanes_log2)) {
    const F* source = from + (from_index ? from_index[k] : k) * from_pitch;
    T* target = to + (to_index ? to_index[k] : k) * to_pitch;
    for (int64_t d = lane_of_row(lanes_log2) * kWidth; d < to_pitch; d += step) {
      Chunk<F, kWidth> read = {};
      if (d < dim) read = load_chunk<kWidth>(source + d);
      Chunk<T, kWidth> written;
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        T element;
        if constexpr (std::is_same_v<From, To>) element = read.at[e];  // as it is, NaNs too
        else element = To::store(From::load(read.at[e]));
        written.at[e] = d + e < dim ? element : T(0);
      }
      store_chunk(target + d, written);
    }
  }
}

template <class From>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    gather_biases_kernel(const Begun begun, int64_t count, const typename From::Type* from, int64_t pitch,
                         const int64_t* index, const int64_t* to, double* out) {
  begun.note();
  const int64_t stride = int64_t{gridDim.x} * kRowThreads;
  for (int64_t k = int64_t{blockIdx.x} * kRowThreads + threadIdx.x; k < count; k += stride) {
    out[to ? to[k] : k] = From::load(from[(index ? index[k] : k) * pitch]);
  }
}

__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    row_pointers_kernel(const Begun begun, int64_t count, const char* data, int64_t row_bytes, const void** out) {
  begun.note();
  const int64_t stride = int64_t{gridDim.x} * kRowThreads;
  for (int64_t k = int64_t{blockIdx.x} * kRowThreads + threadIdx.x; k < count; k += stride) {
    out[k] = data + k * row_bytes;
  }
}

}  // namespace

cudaError_t copy_rows(const Queue& queue, int64_t count, int64_t dim, const RowsOf& from, const RowsOf& to) {
  cudaError_t error = cudaSuccess;
  with_element(from.dtype, [&](auto from_element) {
    with_element(to.dtype, [&](auto to_element) {
      using From = decltype(from_element);
      using To = decltype(to_element);
      const size_t wider = size_of(from.dtype) > size_of(to.dtype) ? size_of(from.dtype) : size_of(to.dtype);
      const RowGrid grid = row_grid(count, to.pitch / (16 / static_cast<int64_t>(wider)));
      error = launch(queue, "copy_rows", grid.blocks, kRowThreads, copy_rows_kernel<From, To>, count, dim,
                     static_cast<const typename From::Type*>(from.data), from.pitch, from.index,
                     static_cast<typename To::Type*>(to.data), to.pitch, to.index, grid.lanes_log2);
    });
  });
  return error;
}

cudaError_t gather_biases(const Queue& queue, int64_t count, const RowsOf& from, const int64_t* to, double* out) {
  cudaError_t error = cudaSuccess;
  with_element(from.dtype, [&](auto element) {
    using From = decltype(element);
    error = launch(queue, "gather_biases", row_grid(count, 1).blocks, kRowThreads, gather_biases_kernel<From>, count,
                   static_cast<const typename From::Type*>(from.data), from.pitch, from.index, to, out);
  });
  return error;
}

cudaError_t row_pointers(const Queue& queue, int64_t count, const RowsOf& rows, const void** out) {
  return launch(queue, "row_pointers", row_grid(count, 1).blocks, kRowThreads, row_pointers_kernel, count,
                static_cast<const char*>(rows.data), rows.pitch * static_cast<int64_t>(size_of(rows.dtype)), out);
}

}  // namespace cuda
}  // namespace sampled_softmax
