// New tables. Writes rows * pitch * size bytes and reads nothing. An element takes half a Philox block (20 wide integer
// products) and, where it is normal, 32 products and sums and a division in double in the middle of the distribution
// (85 %), twice that with a logarithm and a root beyond: bound by double arithmetic, once in a table's life. 36 to 64
// registers.
#include <type_traits>

#include "cuda/kernels/table_rows.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class Element, class Value>
__global__ void __launch_bounds__(kRowThreads, kRowBlocks)
    initialize_kernel(const Begun begun, typename Element::Type* to, int64_t pitch, int64_t first, int64_t count,
                      int64_t dim, uint64_t seed, Value value, int lanes_log2) {
  begun.note();
  using T = typename Element::Type;
  constexpr int kWidth = 16 / sizeof(T);
  const int64_t step = int64_t{kWidth} << lanes_log2;
  for (int64_t k = first_row(lanes_log2); k < count; k += row_stride(lanes_log2)) {
    const int64_t row = first + k;
    for (int64_t d = lane_of_row(lanes_log2) * kWidth; d < pitch; d += step) {
      Chunk<T, kWidth> chunk;
      uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
      for (int e = 0; e < kWidth; ++e) {
        // Two elements to a block; a row may begin with the second of one.
        const uint64_t i = static_cast<uint64_t>(row) * static_cast<uint64_t>(dim) + static_cast<uint64_t>(d + e);
        const bool second = i % 2 == 1;
        if (e == 0 || !second) philox_block(seed, i / 2, kTableStream, words);
        const double drawn = centred(second ? words[2] : words[0], second ? words[3] : words[1]);
        chunk.at[e] = d + e < dim ? Element::store(value(drawn)) : T(0);
      }
      store_chunk(to + row * pitch + d, chunk);
    }
  }
}

}  // namespace

cudaError_t initialize_rows(const Queue& queue, const RowsOf& to, int64_t first, int64_t count, int64_t rows,
                            int64_t dim, const Initializer& initializer) {
  cudaError_t error = cudaSuccess;
  with_initial_value(initializer, rows, dim, [&](const auto& value) {
    with_element(to.dtype, [&](auto element) {
      using Element = decltype(element);
      using T = typename Element::Type;
      using Value = std::decay_t<decltype(value)>;
      const RowGrid grid = row_grid(count, to.pitch / (16 / static_cast<int64_t>(sizeof(T))));
      error = launch(queue, "initialize_rows", grid.blocks, kRowThreads, initialize_kernel<Element, Value>,
                     static_cast<T*>(to.data), to.pitch, first, count, dim, initializer.seed, value, grid.lanes_log2);
    });
  });
  return error;
}

}  // namespace cuda
}  // namespace sampled_softmax
