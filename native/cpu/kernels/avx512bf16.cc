// AVX-512 with BF16: the kernels of AVX-512, and products of bfloat16 by its dot products (reduced.h).
#include <immintrin.h>

#include <cstdint>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/reduced.h"

namespace sampled_softmax {
namespace {

// Defines what follows uses.
#include "cpu/kernels/bfloat16_packing.h"

constexpr int MR = 12, L = 16;
constexpr int kBlock = 128;  // of pairs along k: twice the elements of products.h, in the same bytes

static inline __m512 load(const float* p) { return _mm512_loadu_ps(p); }
static inline __m512bh pairs(const Pair* p) { return (__m512bh)_mm512_loadu_si512(p); }
static inline __m512bh broadcast(Pair p) { return (__m512bh)_mm512_set1_epi32(static_cast<int>(p)); }
static inline int64_t half(int64_t n) { return (n + 1) / 2; }

// As accumulate() of products.h; a and b in pairs.
template <int M, int N, int Group>
static inline __attribute__((always_inline)) void accumulate(const Pair* a, int64_t groups, int64_t group_stride,
                                                             int64_t m_stride, int64_t k_stride, const Pair* b,
                                                             __m512 (&acc)[M][N]) {
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) acc[m][n] = _mm512_setzero_ps();
  }
  for (int64_t g = 0; g < groups; ++g, a += group_stride) {
    const Pair* ak = a;
    for (int k = 0; k < Group; ++k, ak += k_stride, b += NR) {
      __m512bh bk[N];
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) bk[n] = pairs(b + n * L);
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
        const __m512bh am = broadcast(ak[m * m_stride]);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) acc[m][n] = _mm512_dpbf16_ps(acc[m][n], am, bk[n]);
      }
    }
  }
}

static void pack_tile(const float* const* rows, int64_t dim, Pair* along_dims, Pair* along_columns) {
  pack_pairs_of_dims<MR>([rows](int m) { return rows[m]; }, dim, half(dim), along_dims);
  for (int m = 0; m < MR; m += 2, along_columns += dim) {
    for (int64_t d = 0; d < dim; d += L) {
      const __m512i pairs = pairs_across(load_row(rows[m], d, dim), load_row(rows[m + 1], d, dim));
      _mm512_mask_storeu_epi32(along_columns + d, first_lanes(dim - d), pairs);
    }
  }
}

static void logits(const Pair* tile, int64_t tiles, const Pair* strip, int64_t dim, const float* offset, float* z) {
  const int64_t depth = half(dim), blocks = depth > kBlock ? (depth + kBlock - 1) / kBlock : 1;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = depth * block / blocks, k1 = depth * (block + 1) / blocks;
    for (int64_t t = 0; t < tiles; ++t) {
      __m512 acc[MR][2];
      accumulate<MR, 2, 1>(tile + (t * depth + k0) * MR, k1 - k0, MR, 1, 0, strip + k0 * NR, acc);
      float* zt = z + t * MR * NR;
#pragma GCC unroll 16
      for (int m = 0; m < MR; ++m) {
        const __m512 o = _mm512_set1_ps(offset[t * MR + m]);
        _mm512_storeu_ps(zt + m * NR, acc[m][0] + (block ? load(zt + m * NR) : o));
        _mm512_storeu_ps(zt + m * NR + L, acc[m][1] + (block ? load(zt + m * NR + L) : o));
      }
    }
  }
}

static void pack_strip(const float* rows, int64_t count, int64_t dim, Pair* strip) {
  pack_rows(rows, count, dim, half(dim), strip);
}

static void round(const float* e, int64_t tiles, Pair* along_columns, Pair* along_rows) {
  round_columns(e, tiles * MR, along_columns, along_rows);
}

template <int M>
static inline void input_gradient_dims(const Pair* tile, int64_t tiles, const Pair* e, int64_t dim, float* out,
                                       bool add) {
  __m512 acc[M][2];
  accumulate<M, 2, MR / 2>(tile, tiles, half(dim) * MR, 1, dim, e, acc);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    float* row = out + m * NR;
    _mm512_storeu_ps(row, add ? load(row) + acc[m][0] : acc[m][0]);
    _mm512_storeu_ps(row + L, add ? load(row + L) + acc[m][1] : acc[m][1]);
  }
}

static void input_gradients(const Pair* tile, int64_t tiles, const Pair* e, int64_t dim, float* out, bool add) {
  constexpr int kTiles = 2 * kBlock / MR;
  for (int64_t t0 = 0; t0 < tiles; t0 += kTiles) {
    const int64_t n = tiles - t0 < kTiles ? tiles - t0 : kTiles;
    const Pair *first = tile + t0 * half(dim) * MR, *columns = e + t0 * MR / 2 * NR;
    for (int64_t d = 0; d < dim; d += MR) {
      float* o = out + d * NR;
      if (dim - d > MR * 2 / 3) input_gradient_dims<MR>(first + d, n, columns, dim, o, add || t0);
      else if (dim - d > MR / 3) input_gradient_dims<MR * 2 / 3>(first + d, n, columns, dim, o, add || t0);
      else input_gradient_dims<MR / 3>(first + d, n, columns, dim, o, add || t0);
    }
  }
}

template <int N>
static inline void class_gradient_tile(const Pair* e, int64_t strip_stride, int64_t strips, const Pair* panel,
                                       int64_t width, float* const* out, int64_t d, int64_t columns, bool add) {
  __m512 acc[MR][N];
  accumulate<MR, N, NR / 2>(e, strips, strip_stride, NR / 2, 1, panel, acc);
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    if (m >= columns) break;
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      const int64_t left = width - n * L;
      const __mmask16 lanes = static_cast<__mmask16>(left >= L ? 0xffff : (1u << left) - 1);
      float* row = out[m] + d + n * L;
      const __m512 before = add ? _mm512_maskz_loadu_ps(lanes, row) : _mm512_setzero_ps();
      _mm512_mask_storeu_ps(row, lanes, before + acc[m][n]);
    }
  }
}

static void class_gradients(const Pair* e, int64_t strip_stride, int64_t columns, int64_t strips, const Pair* panels,
                            int64_t panel_stride, int64_t dim, float* const* out, bool add) {
  constexpr int kStrips = 2 * kBlock / NR;
  for (int64_t q = 0; q < strips; q += kStrips) {
    const int64_t n = strips - q < kStrips ? strips - q : kStrips;
    for (int64_t d = 0; d < dim; d += NR) {
      const Pair* panel = panels + d / NR * panel_stride + q * NR / 2 * NR;
      const int64_t width = dim - d < NR ? dim - d : NR;
      for (int64_t t = 0; t * MR < columns; ++t) {
        const Pair* et = e + q * strip_stride + t * MR * NR / 2;
        if (width > L)
          class_gradient_tile<2>(et, strip_stride, n, panel, width, out + t * MR, d, columns - t * MR, add || q);
        else class_gradient_tile<1>(et, strip_stride, n, panel, width, out + t * MR, d, columns - t * MR, add || q);
      }
    }
  }
}

constexpr ReducedKernels kKernels = {MR,          NR,     2,     pack_tile,       pack_strip,
                                     pack_panels, logits, round, input_gradients, class_gradients};

}  // namespace

const KernelSet& avx512bf16_kernels() {
  static const KernelSet set = {"avx512bf16", avx512_kernels().float32, avx512_kernels().float64, &kKernels};
  return set;
}

}  // namespace sampled_softmax
