// Gradients of the columns' class rows: activations transposed [S, B] times inputs [B, D], a block for a tile of
// columns and dims, and all rows of the batch in order: one owner for each element.
//
// Reads the logits once for every kN dims; 2 * B * S * D flops for 4 * B * S * ceil(D / kN) bytes of logits and 4 * S *
// D written: the multiply-adds bound it for float from D = 32 on, but for few rows (B below 32) the writing does.
//
// Registers, shared memory and blocks as in input_gradients.cu.
#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/product.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

template <class T, class E>
struct Problem {
  int64_t batch, dim, pitch, count, column_tiles, z_pitch;
  const T* z;
  const E* inputs;
  const T* max;
  const double* scale;
  Loss loss;
  const int64_t* row_of;
  T* values;
};

template <class T, class E, Arithmetic arithmetic>
__global__ void __launch_bounds__(Tile<E>::kThreads, 3)
    class_gradients_kernel(const Begun begun, const Problem<T, E> p) {
  begun.note();
  if constexpr (!can_multiply<arithmetic>()) return;
  using Product = cuda::Product<E, arithmetic, Inside::other, Inside::other>;
  using A = typename Product::A;
  using B = typename Product::B;
  using Tl = Tile<E>;
  // Logits are read by vectors of T, so that no sector is read by halves.
  constexpr int kVector = B::kVector, kPiece = Tile<T>::kVector, kPieces = A::template kEach<kPiece>;
  __shared__ typename Product::Shared shared;
  const int64_t first_column = blockIdx.x % p.column_tiles * Tl::kM, first_dim = blockIdx.x / p.column_tiles * Tl::kN;

  Vector<T> z[kPieces];
  Product product;
  add_products(
      product, shared, 0, p.batch,
      [&](int64_t k0, int buffer) {
#pragma unroll
        for (int i = 0; i < kPieces; ++i) {
          const int64_t c = first_column + A::template other_of<kPiece>(i), b = k0 + A::template k_of<kPiece>(i);
#pragma unroll
          for (int e = 0; e < kPiece; ++e) z[i].v[e] = -INFINITY;
          if (b >= p.batch || c >= p.count) continue;
          z[i] = *reinterpret_cast<const Vector<T>*>(p.z + b * p.z_pitch + c);
        }
#pragma unroll
        for (int i = 0; i < B::template kEach<kVector>; ++i) {
          const int64_t b = k0 + B::template k_of<kVector>(i), d = first_dim + B::template other_of<kVector>(i);
          copy_16(B::template place<kVector>(shared.b[buffer], i),
                  b < p.batch && d < p.pitch ? p.inputs + b * p.pitch + d : nullptr, p.z);
        }
      },
      [&](int64_t k0, int buffer) {
#pragma unroll
        for (int i = 0; i < kPieces; ++i) {
          // All lanes' one row: from the L1 cache now, since with them in registers through the product others spill.
          const int64_t b = k0 + A::template k_of<kPiece>(i);
          const T max = b < p.batch ? p.max[b] : T(0), scale = b < p.batch ? static_cast<T>(p.scale[b]) : T(0);
          T e[kPiece];
#pragma unroll
          for (int v = 0; v < kPiece; ++v) e[v] = scale * activation(z[i].v[v], max, p.loss);
          store_shared(A::template place<kPiece>(shared.a[buffer], i), e);
        }
      });

  const bool aligned = p.dim % Product::kRun == 0;
#pragma unroll
  for (int i = 0; i < Product::kRows; ++i) {
    const int64_t c = first_column + Product::m_of(i);
    if (c >= p.count) continue;
    T* out = p.values + (p.row_of ? p.row_of[c] : c) * p.dim;
    store_row<Product>(product.sum[i], out, first_dim, p.dim, aligned);
  }
}

// Columns across a block of threads, rows of the batch among kRows groups; their sums in order.
constexpr int kColumns = 32, kRows = 8;

template <class T>
__global__ void __launch_bounds__(kColumns* kRows)
    column_sums_kernel(const Begun begun, int64_t batch, int64_t count, int64_t z_pitch, const T* z, Rows<T> state,
                       Loss loss, double* sums) {
  begun.note();
  __shared__ double group_sums[kRows][kColumns];
  const int column = static_cast<int>(threadIdx.x) % kColumns, group = static_cast<int>(threadIdx.x) / kColumns;
  const int64_t c = int64_t{blockIdx.x} * kColumns + column;
  double sum = 0;
  for (int64_t b = group; c < count && b < batch; b += kRows) {
    const T logit = z[b * z_pitch + c];
    double e;
    if (loss == Loss::softmax) {
      const Parts<T> parts = exp_of_difference(logit, state.max[b]);
      e = static_cast<double>(parts.high) + static_cast<double>(parts.low);
    } else {
      e = static_cast<double>(activation(logit, T(0), loss));
    }
    sum += state.scale[b] * e;
  }
  group_sums[group][column] = sum;
  __syncthreads();
  if (group != 0 || c >= count) return;
  for (int g = 1; g < kRows; ++g) sum += group_sums[g][column];
  sums[c] = sum;
}

}  // namespace

template <class T, class E>
cudaError_t class_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t pitch, ColumnRange columns,
                            const T* z, const E* inputs, const Rows<T>& state, Loss loss, const int64_t* row_of,
                            T* values, Arithmetic arithmetic) {
  const Problem<T, E> p{batch,
                        dim,
                        pitch,
                        columns.count,
                        blocks_of(columns.count, Tile<E>::kM),
                        logits_pitch(columns.count),
                        z,
                        inputs,
                        state.max,
                        state.scale,
                        loss,
                        row_of ? row_of + columns.begin : nullptr,
                        row_of ? values : values + columns.begin * dim};
  const int64_t blocks = p.column_tiles * blocks_of(dim, Tile<E>::kN);
  return with_arithmetic<E>(arithmetic, [&](auto chosen) {
    return launch(queue, "class_gradients", blocks, Tile<E>::kThreads, class_gradients_kernel<T, E, chosen.value>, p);
  });
}

template <class T>
cudaError_t column_sums(const Queue& queue, int64_t batch, ColumnRange columns, const T* z, const Rows<T>& state,
                        Loss loss, double* sums) {
  return launch(queue, "column_sums", blocks_of(columns.count, kColumns), kColumns * kRows, column_sums_kernel<T>,
                batch, columns.count, logits_pitch(columns.count), z, state, loss, sums + columns.begin);
}

#define INSTANTIATE(T, E)                                                                                        \
  template cudaError_t class_gradients(const Queue&, int64_t, int64_t, int64_t, ColumnRange, const T*, const E*, \
                                       const Rows<T>&, Loss, const int64_t*, T*, Arithmetic);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE
#define INSTANTIATE(T) \
  template cudaError_t column_sums(const Queue&, int64_t, ColumnRange, const T*, const Rows<T>&, Loss, double*);
SAMPLED_SOFTMAX_FOR_BOTH(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
