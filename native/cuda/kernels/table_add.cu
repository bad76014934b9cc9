// Sums added to rows of a table. For each row of the table that is named: reads and writes pitch * size bytes of it,
// and reads 8 bytes of index and, for each value row, dim * size bytes; a product and a sum in double an element, and
// one sum more for each value row. Bound by memory (2 operations to 12 bytes of float32; where double runs at a 64th of
// float's rate, by those). 34 to 64 registers. Each row has one owner, which adds its values in their order: no
// atomics.
#include "cuda/kernels/table_rows.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

// Elements of a lane: sums of eight would not fit the registers, so 16-bit values go to a 16-bit table by 8 bytes.
__host__ __device__ constexpr int width_of_sum(size_t from, size_t to) {
  return static_cast<int>(from > to ? (from < 4 ? 4 : 16 / from) : (to < 4 ? 4 : 16 / to));
}

// kPadded: rows of values begin at 16 bytes and may be read to the end of their last piece.
template <class To, class From, bool kPadded>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    add_rows_kernel(const Begun begun, int64_t count, int64_t dim, const typename From::Type* values,
                    int64_t values_pitch, const int64_t* starts, double scale, typename To::Type* to, int64_t pitch,
                    const int64_t* rows, int lanes_log2) {
  begun.note();
  using F = typename From::Type;
  using T = typename To::Type;
  constexpr int kWidth = width_of_sum(sizeof(F), sizeof(T));
  const int64_t step = int64_t{kWidth} << lanes_log2;
  for (int64_t s = first_row(lanes_log2); s < count; s += row_stride(lanes_log2)) {
    T* row = to + rows[s] * pitch;
    const int64_t begin = starts ? starts[s] : s, end = starts ? starts[s + 1] : s + 1;
    for (int64_t d = lane_of_row(lanes_log2) * kWidth; d < dim; d += step) {
      double sum[kWidth];
      for (int64_t i = begin; i < end; ++i) {
        const F* value = values + i * values_pitch + d;
        Chunk<F, kWidth> read = {};
        if constexpr (kPadded) {
          read = load_chunk<kWidth>(value);
        } else {
#pragma unroll
          for (int e = 0; e < kWidth; ++e) {
            if (d + e < dim) read.at[e] = value[e];
          }
        }
        // The sum of several begins with +0, which tells where all of them are -0.
        const bool first = i == begin, several = end - begin > 1;
#pragma unroll
        for (int e = 0; e < kWidth; ++e) {
          const double x = From::load(read.at[e]);
          sum[e] = first ? (several ? 0.0 + x : x) : sum[e] + x;
        }
      }
      Chunk<T, kWidth> chunk = load_chunk<kWidth>(row + d);
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        // Padding stays zero, whatever the scale is.
        if (d + e < dim) chunk.at[e] = To::store(To::load(chunk.at[e]) + scale * sum[e]);
      }
      store_chunk(row + d, chunk);
    }
  }
}

}  // namespace

cudaError_t add_rows(const Queue& queue, int64_t count, int64_t dim, const RowsOf& values, const int64_t* starts,
                     double scale, const RowsOf& to) {
  cudaError_t error = cudaSuccess;
  with_element(to.dtype, [&](auto to_element) {
    with_element(values.dtype, [&](auto from_element) {
      using To = decltype(to_element);
      using From = decltype(from_element);
      const RowGrid grid = row_grid(count, blocks_of(dim, width_of_sum(size_of(values.dtype), size_of(to.dtype))));
      auto kernel = add_rows_kernel<To, From, true>;
      if constexpr (sizeof(typename From::Type) >= 4) {  // dense rows come from losses
        if (values.pitch % (16 / sizeof(typename From::Type))) kernel = add_rows_kernel<To, From, false>;
      }
      error = launch(queue, "add_rows", grid.blocks, kRowThreads, kernel, count, dim,
                     static_cast<const typename From::Type*>(values.data), values.pitch, starts, scale,
                     static_cast<typename To::Type*>(to.data), to.pitch, to.index, grid.lanes_log2);
    });
  });
  return error;
}

}  // namespace cuda
}  // namespace sampled_softmax
