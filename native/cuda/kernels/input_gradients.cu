// Gradients of the inputs: activations [B, S] times class rows [S, D], a block for a tile of rows and dims and a part
// of the columns; then the parts in order, and the true classes' share.
//
// Reads the activations once for every kN dims. Class rows come from the L2 cache. 2 * B * S * D flops for 4 * B * S *
// ceil(D / kN) bytes of activations: the multiply-adds bound it for float from D = 32 on.
//
// At most 168 registers (128 with tensor cores) and 44 KB of shared memory: 3 blocks of 4 warps (4) fit each
// multiprocessor of an H100, 3 that of an A100, 2 that of an L4 or RTX 4090. Few of 64 or 48 warps, but each has 64
// independent sums.
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
  int64_t batch, dim, pitch, count, row_tiles, dim_tiles, part_length, z_pitch;
  const T* z;
  const E* const* rows;
  T* parts;
  bool add;
};

template <class T, class E, Arithmetic arithmetic>
__global__ void __launch_bounds__(Tile<E>::kThreads, arithmetic == Arithmetic::fma ? 3 : 4)
    input_gradients_kernel(const Begun begun, const Problem<T, E> p) {
  begun.note();
  if constexpr (!can_multiply<arithmetic>()) return;
  using Product = cuda::Product<E, arithmetic, Inside::k, Inside::other>;
  using A = typename Product::A;
  using B = typename Product::B;
  using Element = typename A::Element;
  using Tl = Tile<E>;
  __shared__ typename Product::Shared shared;
  const int64_t row_tile = blockIdx.x % p.row_tiles, rest = blockIdx.x / p.row_tiles;
  const int64_t first_row = row_tile * Tl::kM, first_dim = rest % p.dim_tiles * Tl::kN, part = rest / p.dim_tiles;
  const int64_t begin = part * p.part_length, stop = begin + p.part_length, end = stop < p.count ? stop : p.count;

  const Element* a = activation_row<Element>(p.z, p.z_pitch, first_row + A::other_of(0));
  const int64_t apart = p.z_pitch * (sizeof(T) / sizeof(Element)) * A::kApart;
  const int num_rows = static_cast<int>(p.batch - first_row < Tl::kM ? p.batch - first_row : Tl::kM);
  // Where the class rows of the next step are: asked for a step ahead, since the copy would wait for it.
  const E* b[B::kEach];
  const auto find_rows = [&](int64_t k0) {
#pragma unroll
    for (int i = 0; i < B::kEach; ++i) {
      const int64_t c = k0 + B::k_of(i);
      b[i] = c < end ? p.rows[c] : nullptr;
    }
  };
  find_rows(begin);
  const int64_t d = first_dim + B::other_of(0);
  Product product;
  add_products(product, shared, begin, end, [&](int64_t k0, Element* to_a, E* to_b) {
    const int left = static_cast<int>(end - k0 < A::kK ? end - k0 : A::kK);
    const Element* from = a + activation_column<Element, T>(k0 + A::k_of(0));
    A::bring(to_a, A::k_of(0) < left ? num_rows : 0, [&](int i) { return from + i * apart; });
    B::bring(to_b, d < p.pitch ? left : 0, [&](int i) { return b[i] + d; });
    find_rows(k0 + A::kK);
  });

  const bool aligned = p.dim % Product::kRun == 0;
#pragma unroll
  for (int i = 0; i < Product::kRows; ++i) {
    const int64_t row = first_row + Product::m_of(i);
    if (row >= p.batch) continue;
    T* out = p.parts + (part * p.batch + row) * p.dim;
    if (p.add) add_row<Product>(product.sum[i], out, first_dim, p.dim, aligned);
    store_row<Product>(product.sum[i], out, first_dim, p.dim, aligned);
  }
}

template <class T, class E>
__global__ void __launch_bounds__(256)
    finish_input_gradients_kernel(const Begun begun, int64_t batch, int64_t dim, int64_t num_true, Rows<T> state,
                                  int64_t num_parts, const T* parts, const E* const* label_rows, T* out) {
  begun.note();
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= batch * dim) return;
  const int64_t b = row_of_element(i, dim), d = i - b * dim;
  double sum = sum_of_parts(parts + i, batch * dim, num_parts);
  for (int64_t j = b * num_true; j < (b + 1) * num_true; ++j) {
    sum += state.true_dz[j] * static_cast<double>(value_of(label_rows[j][d]));
  }
  out[i] = static_cast<T>(sum);
}

}  // namespace

template <class T>
int64_t parts_of_sum(int64_t m, int64_t n, int64_t length, int64_t blocks) {
  constexpr int64_t kShortest = 128;  // eight steps of a product of floats, which come after two that fill its buffers
  const int64_t tiles = blocks_of(m, Tile<T>::kM) * blocks_of(n, Tile<T>::kN);
  int64_t parts = blocks_of(blocks, tiles > 0 ? tiles : 1);
  const int64_t most = blocks_of(length, kShortest);
  if (parts > most) parts = most;
  return parts > 0 ? parts : 1;
}

template <class T, class E>
cudaError_t input_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t pitch, ColumnRange columns,
                            const T* z, const E* const* rows, int64_t num_parts, T* parts, bool add,
                            Arithmetic arithmetic) {
  const Problem<T, E> p{batch,
                        dim,
                        pitch,
                        columns.count,
                        blocks_of(batch, Tile<E>::kM),
                        blocks_of(dim, Tile<E>::kN),
                        length_of_part<E>(columns.count, num_parts),
                        logits_pitch(columns.count),
                        z,
                        rows + columns.begin,
                        parts,
                        add};
  const int64_t blocks = p.row_tiles * p.dim_tiles * num_parts;
  return with_arithmetic<E>(arithmetic, [&](auto chosen) {
    return launch(queue, "input_gradients", blocks, Tile<E>::kThreads, input_gradients_kernel<T, E, chosen.value>, p);
  });
}

template <class T, class E>
cudaError_t finish_input_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t num_true,
                                   const Rows<T>& state, int64_t num_parts, const T* parts, const E* const* label_rows,
                                   T* out) {
  return launch(queue, "finish_input_gradients", blocks_of(batch * dim, 256), 256, finish_input_gradients_kernel<T, E>,
                batch, dim, num_true, state, num_parts, parts, label_rows, out);
}

template int64_t parts_of_sum<float>(int64_t, int64_t, int64_t, int64_t);
template int64_t parts_of_sum<double>(int64_t, int64_t, int64_t, int64_t);
#define INSTANTIATE(T, E)                                                                                       \
  template cudaError_t input_gradients(const Queue&, int64_t, int64_t, int64_t, ColumnRange, const T*,          \
                                       const E* const*, int64_t, T*, bool, Arithmetic);                         \
  template cudaError_t finish_input_gradients(const Queue&, int64_t, int64_t, int64_t, const Rows<T>&, int64_t, \
                                              const T*, const E* const*, T*);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
