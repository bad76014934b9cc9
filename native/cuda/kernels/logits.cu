// Logits of a tile of rows and columns: product, offset, accidental hits, and each row's maximum and sum over the tile.
//
// Bytes read: a tile of inputs and one of class rows for every 2 * D * kM * kN flops, that is 4 * D * (kM + kN) bytes
// (half of it in 16 bits), mostly from the L2 cache: 21 flops a byte (float), so that the multiply-adds bound it from
// D = 16 on; on tensor cores shared memory does, as tensor_product.cuh counts, from about D = 64.
// Writes 4 * B * S bytes where the logits are kept. The two partials of a row and tile are written by single lanes: 12
// bytes of 64 * 4.
//
// Up to 254 registers (128 with tensor cores) and 46 KB of shared memory: 2 blocks of 4 warps on each multiprocessor of
// an A100, H100, L4 or RTX 4090, with tensor cores 4 of an H100 and 3 of an A100.
#include "cuda/kernels/activation.cuh"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/product.cuh"

namespace sampled_softmax {
namespace cuda {
namespace {

constexpr int kFewLabels = 8;  // of a row: compared one by one

// In ascending labels, by halves.
__device__ __forceinline__ bool is_hit(const int64_t* labels, int64_t num_true, int64_t key) {
  int64_t begin = 0, end = num_true;  // the first label that is not below key
  while (begin < end) {
    const int64_t middle = (begin + end) / 2;
    if (labels[middle] < key) begin = middle + 1;
    else end = middle;
  }
  return begin < num_true && labels[begin] == key;
}

template <class T, class E>
struct Problem {
  int64_t batch, count, row_tiles, pitch, z_pitch;
  const E* inputs;
  const E* const* rows;
  const T* offset;
  HitTest hits;
  Loss loss;
  T* z;
  Partials<T> partials;
};

// A block of threads has a tile of kM rows of the batch and kN columns. Two blocks of multiply-adds to a
// multiprocessor: a third would spill on some GPUs, and made nothing faster on an H200.
template <class T, class E, Arithmetic arithmetic>
__global__ void __launch_bounds__(Tile<E>::kThreads, arithmetic == Arithmetic::fma ? 2 : 4)
    logits_kernel(const Begun begun, const Problem<T, E> p) {
  begun.note();
  if constexpr (!can_multiply<arithmetic>()) return;
  using Product = cuda::Product<E, arithmetic, Inside::k, Inside::k>;
  using A = typename Product::A;
  using B = typename Product::B;
  using Tl = Tile<E>;
  constexpr int kRows = Product::kRows, kColumns = Product::kColumns;
  __shared__ typename Product::Shared shared;
  const int64_t row_tile = blockIdx.x % p.row_tiles, column_tile = blockIdx.x / p.row_tiles;
  const int64_t first_row = row_tile * Tl::kM, first_column = column_tile * Tl::kN;

  const E* a = p.inputs + (first_row + A::other_of(0)) * p.pitch + A::k_of(0);
  const E* b[B::kEach];
#pragma unroll
  for (int i = 0; i < B::kEach; ++i) {
    const int64_t column = first_column + B::other_of(i);
    b[i] = column < p.count ? p.rows[column] + B::k_of(i) : nullptr;
  }
  const int num_rows = static_cast<int>(p.batch - first_row < Tl::kM ? p.batch - first_row : Tl::kM);
  const int num_columns = static_cast<int>(p.count - first_column < Tl::kN ? p.count - first_column : Tl::kN);
  Product product;
  add_products(product, shared, 0, p.pitch, [&](int64_t k0, E* to_a, E* to_b) {
    const bool inside = k0 + A::k_of(0) < p.pitch;
    A::bring(to_a, inside ? num_rows : 0, [&](int i) { return a + i * (A::kApart * p.pitch); });
    B::bring(to_b, inside ? num_columns : 0, [&](int i) { return b[i]; });
    a += A::kK;
#pragma unroll
    for (int i = 0; i < B::kEach; ++i) b[i] += A::kK;
  });

  int64_t key[kColumns];
#pragma unroll
  for (int j = 0; j < kColumns; j += Product::kRun) {
    const int64_t column = first_column + Product::n_of(j);
#pragma unroll
    for (int e = 0; e < Product::kRun; ++e) key[j + e] = -1;
    if (!p.hits.keys || column >= p.count) continue;
    // Two columns at once, where they are neighbours: the keys of a tile begin at 16 bytes.
    if (Product::kRun == 2 && column + 1 < p.count) {
      const longlong2 keys = *reinterpret_cast<const longlong2*>(p.hits.keys + column);
      key[j] = keys.x, key[j + 1] = keys.y;
    } else {
      key[j] = p.hits.keys[column];
    }
  }
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    const int64_t column = first_column + Product::n_of(j);
    // Last, as on the CPU: small products of small integers then have one rounding, whatever the offset is.
    const T offset = column < p.count ? p.offset[column] : T(0);
#pragma unroll
    for (int i = 0; i < kRows; ++i) product.sum[i][j] += offset;
  }
  if (p.hits.keys && p.hits.num_true <= kFewLabels) {
    // Each label is read once, those of all rows side by side.
#pragma unroll 1
    for (int t = 0; t < p.hits.num_true; ++t) {
      int64_t label[kRows];
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        const int64_t row = first_row + Product::m_of(i);
        label[i] = row < p.batch ? p.hits.labels[row * p.hits.num_true + t] : -2;  // no label and no key
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) product.sum[i][j] = label[i] == key[j] ? -INFINITY : product.sum[i][j];
      }
    }
  } else if (p.hits.keys) {
    // Bit i * kColumns + j. Not unrolled: the search would be there kRows * kColumns times.
    uint64_t hits = 0;
#pragma unroll 1
    for (int i = 0; i < kRows; ++i) {
      const int64_t row = first_row + Product::m_of(i);
      if (row >= p.batch) continue;
      const int64_t* labels = p.hits.labels + row * p.hits.num_true;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        const bool hit = key[j] >= 0 && is_hit(labels, p.hits.num_true, key[j]);
        hits |= uint64_t{hit} << (i * kColumns + j);
      }
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        product.sum[i][j] = hits >> (i * kColumns + j) & 1 ? -INFINITY : product.sum[i][j];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int64_t row = first_row + Product::m_of(i);
    const bool in_batch = row < p.batch;
    T z[kColumns], max = -INFINITY;
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      z[j] = first_column + Product::n_of(j) < p.count ? product.sum[i][j] : -INFINITY;
      max = fmax(max, z[j]);  // a NaN is passed over
    }
    if (p.z && in_batch) store_row<Product>(z, p.z + row * p.z_pitch, first_column, p.z_pitch, true);
    if (!p.partials.max) continue;
    CarefulSum<T> careful;
    if (p.loss == Loss::softmax) {
#pragma unroll
      for (int lanes = 1; lanes < Product::kRowLanes; lanes *= 2) {
        max = fmax(max, __shfl_xor_sync(~0u, max, lanes));
      }
      if constexpr (arithmetic == Arithmetic::fma) {
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
          if (z[j] != -INFINITY) careful.add(exp_of_difference(z[j], max));
        }
      } else {
        const T from = max == -INFINITY ? T(0) : max;
#pragma unroll
        for (int j = 0; j < kColumns; ++j) careful.sum += exp_in_brief(z[j] - from);
      }
    } else {
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        if constexpr (arithmetic == Arithmetic::fma) careful.add({softplus(z[j]), T(0)});
        else careful.sum += softplus_in_brief(z[j]);
      }
    }
    double sum = careful.total();
#pragma unroll
    for (int lanes = 1; lanes < Product::kRowLanes; lanes *= 2) sum += __shfl_xor_sync(~0u, sum, lanes);
    if (in_batch && Product::row_lane() == 0) {
      p.partials.max[row * p.partials.pitch + column_tile] = max;
      p.partials.sum[row * p.partials.pitch + column_tile] = sum;
    }
  }
}

}  // namespace

int64_t logits_pitch(int64_t columns) { return blocks_of(columns, Tile<float>::kN) * Tile<float>::kN; }

template <class T>
int64_t partials_per_row(int64_t columns) {
  return blocks_of(columns, Tile<T>::kN);
}

template <class T, class E>
cudaError_t logits(const Queue& queue, int64_t batch, ColumnRange columns, int64_t pitch, const E* inputs,
                   const E* const* rows, const T* offset, const HitTest& hits, Loss loss, T* z,
                   const Partials<T>& partials, Arithmetic arithmetic) {
  const int64_t row_tiles = blocks_of(batch, Tile<E>::kM), column_tiles = blocks_of(columns.count, Tile<E>::kN);
  Problem<T, E> p{batch,
                  columns.count,
                  row_tiles,
                  pitch,
                  logits_pitch(columns.count),
                  inputs,
                  rows + columns.begin,
                  offset + columns.begin,
                  hits,
                  loss,
                  z,
                  partials};
  if (partials.max) p.partials.max += columns.begin / Tile<E>::kN, p.partials.sum += columns.begin / Tile<E>::kN;
  if (hits.keys) p.hits.keys += columns.begin;
  return with_arithmetic<E>(arithmetic, [&](auto chosen) {
    return launch(queue, "logits", row_tiles * column_tiles, Tile<E>::kThreads, logits_kernel<T, E, chosen.value>, p);
  });
}

template int64_t partials_per_row<float>(int64_t);
template int64_t partials_per_row<double>(int64_t);
#define INSTANTIATE(T, E)                                                                                       \
  template cudaError_t logits(const Queue&, int64_t, ColumnRange, int64_t, const E*, const E* const*, const T*, \
                              const HitTest&, Loss, T*, const Partials<T>&, Arithmetic);
SAMPLED_SOFTMAX_FOR_ROWS(INSTANTIATE)
#undef INSTANTIATE

}  // namespace cuda
}  // namespace sampled_softmax
