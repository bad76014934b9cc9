// Gradients of the columns' class rows: activations transposed [S, B] times inputs [B, D], a block for a tile of
// columns and dims, and all rows of the batch in order, or where such tiles are few a part of them; then the parts in
// order: one owner for each element.
//
// Reads the activations once for every kN dims; 2 * B * S * D flops for 4 * B * S * ceil(D / kN) bytes of them and
// 4 * S * D written: the multiply-adds bound it for float from D = 32 on, but for few rows (B below 32) the writing
// does.
//
// Registers, shared memory and blocks as in input_gradients.cu.
#include "cuda/kernels/activations.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/parts.cuh"
#include "cuda/kernels/product.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class T, class E>
struct Problem {
  int64_t batch, dim, pitch, count, column_tiles, dim_tiles, part_length, z_pitch;
  const T* z;
  const E* inputs;
  const int64_t* row_of;
  T* values;
};

template <class T, class E, Arithmetic arithmetic>
__global__ void __launch_bounds__(Tile<E>::kThreads, arithmetic == Arithmetic::fma ? 3 : 4)
    class_gradients_kernel(const Begun begun, const Problem<T, E> p) {
  begun.note();
  if constexpr (!can_multiply<arithmetic>()) return;
  using Product = cuda::Product<E, arithmetic, Inside::other, Inside::other>;
  using A = typename Product::A;
  using B = typename Product::B;
  using Element = typename A::Element;
  using Tl = Tile<E>;
  __shared__ typename Product::Shared shared;
  const int64_t column_tile = blockIdx.x % p.column_tiles, rest = blockIdx.x / p.column_tiles;
  const int64_t first_column = column_tile * Tl::kM, first_dim = rest % p.dim_tiles * Tl::kN, part = rest / p.dim_tiles;
  const int64_t begin = part * p.part_length, stop = begin + p.part_length, end = stop < p.batch ? stop : p.batch;

  const int64_t a_pitch = p.z_pitch * (sizeof(T) / sizeof(Element));
  const int64_t c = first_column + A::other_of(0), d = first_dim + B::other_of(0);
  const Element* a = activation_row<Element>(p.z, p.z_pitch, begin + A::k_of(0)) + activation_column<Element, T>(c);
  const E* b = p.inputs + (begin + B::k_of(0)) * p.pitch + d;
  Product product;
  add_products(product, shared, begin, end, [&](int64_t k0, Element* to_a, E* to_b) {
    const int left = static_cast<int>(end - k0 < A::kK ? end - k0 : A::kK);
    A::bring(to_a, c < p.count ? left : 0, [&](int i) { return a + i * (A::kApart * a_pitch); });
    B::bring(to_b, d < p.pitch ? left : 0, [&](int i) { return b + i * (B::kApart * p.pitch); });
    a += A::kK * a_pitch;
    b += A::kK * p.pitch;
  });

  const bool aligned = p.dim % Product::kRun == 0;
#pragma unroll
  for (int i = 0; i < Product::kRows; ++i) {
    const int64_t row = first_column + Product::m_of(i);
    if (row >= p.count) continue;
    T* out = p.values + (p.row_of ? p.row_of[row] : part * p.count + row) * p.dim;
    store_row<Product>(product.sum[i], out, first_dim, p.dim, aligned);
  }
}

// Reads 4 * S * D bytes of each part, and writes as many.
template <class T>
__global__ void __launch_bounds__(256)
    finish_class_gradients_kernel(const Begun begun, int64_t count, int64_t dim, int64_t num_parts, const T* parts,
                                  const int64_t* row_of, T* values) {
  begun.note();
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count * dim) return;
  const int64_t c = row_of_element(i, dim), d = i - c * dim;
  const double sum = sum_of_parts(parts + i, count * dim, num_parts);
  values[(row_of ? row_of[c] : c) * dim + d] = static_cast<T>(sum);
}

}  // namespace

template <class T, class E>
cudaError_t class_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t pitch, ColumnRange columns,
                            const T* z, const E* inputs, const int64_t* row_of, T* values, int64_t num_parts,
                            Arithmetic arithmetic) {
  const Problem<T, E> p{batch,
                        dim,
                        pitch,
                        columns.count,
                        blocks_of(columns.count, Tile<E>::kM),
                        blocks_of(dim, Tile<E>::kN),
                        length_of_part<E>(batch, num_parts),
                        logits_pitch(columns.count),
                        z,
                        inputs,
                        row_of,
                        values};
  const int64_t blocks = p.column_tiles * p.dim_tiles * num_parts;
  return with_arithmetic<E>(arithmetic, [&](auto chosen) {
    return launch(queue, "class_gradients", blocks, Tile<E>::kThreads, class_gradients_kernel<T, E, chosen.value>, p);
  });
}

template <class T>
cudaError_t finish_class_gradients(const Queue& queue, int64_t count, int64_t dim, int64_t num_parts, const T* parts,
                                   const int64_t* row_of, T* values) {
  return launch(queue, "finish_class_gradients", blocks_of(count * dim, 256), 256, finish_class_gradients_kernel<T>,
                count, dim, num_parts, parts, row_of, values);
}

#define INSTANTIATE(T, E)                                                                                        \
  template cudaError_t class_gradients(const Queue&, int64_t, int64_t, int64_t, ColumnRange, const T*, const E*, \
                                       const int64_t*, T*, int64_t, Arithmetic);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE
#define INSTANTIATE(T) \
  template cudaError_t finish_class_gradients(const Queue&, int64_t, int64_t, int64_t, const T*, const int64_t*, T*);
SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
