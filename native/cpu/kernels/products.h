// The three matrix products, for one instruction set. Included by kernels/<instruction set>.cc inside its anonymous
// namespace, after it has defined its vector types.
//
// A vector type `S` has: T, its element; V, the vector; L, its lanes; fma(a, b, c) = a * b + c; MR, so that an
// accumulator of MR x 2 vectors, two more and a broadcast fit the registers.
//
// All three products hold M x (2 vectors) of results in registers and run along k: two vector loads, M broadcasts and
// 2 M fused multiply-adds a step. Sums are taken over blocks of k (kBlock), from zero, and blocks are added up: the
// vector operand of a block stays in the L1 cache, and rounding errors grow with the block and not with k.

constexpr int kBlock = 128;

// acc[m] = sum_k a(m, k) * b[k]. Element (m, k) lies at a[m * MS + k * KS] within a group of `Group` steps; the next
// group begins `group_stride` further on.
template <class S, int M, int N, int Group, int MS, int KS>
static inline __attribute__((always_inline)) void accumulate(const typename S::T* a, int64_t groups,
                                                             int64_t group_stride, const typename S::T* b,
                                                             typename S::V (&acc)[M][N]) {
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) acc[m][n] = S::zero();
  }
  for (int64_t g = 0; g < groups; ++g, a += group_stride) {
    const typename S::T* ak = a;
    for (int k = 0; k < Group; ++k, ak += KS, b += 2 * S::L) {
      typename S::V bk[N];
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) bk[n] = S::load(b + n * S::L);
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
        const typename S::V am = S::set1(ak[m * MS]);
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) acc[m][n] = S::fma(am, bk[n], acc[m][n]);
      }
    }
  }
}

template <class S>
static void logits(const typename S::T* tile, int64_t tiles, const typename S::T* strip, int64_t dim,
                   const typename S::T* offset, typename S::T* z) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  const int64_t blocks = dim > kBlock ? (dim + kBlock - 1) / kBlock : 1;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = dim * block / blocks, k1 = dim * (block + 1) / blocks;
    for (int64_t t = 0; t < tiles; ++t) {
      typename S::V acc[MR][2];
      accumulate<S, MR, 2, 1, 1, MR>(tile + (t * dim + k0) * MR, k1 - k0, MR, strip + k0 * NR, acc);
      typename S::T* zt = z + t * MR * NR;
      if (block == 0) {
#pragma GCC unroll 16
        for (int m = 0; m < MR; ++m) {
          const typename S::V o = S::set1(offset[t * MR + m]);
          S::store(zt + m * NR, acc[m][0] + o);
          S::store(zt + m * NR + S::L, acc[m][1] + o);
        }
      } else {
#pragma GCC unroll 16
        for (int m = 0; m < MR; ++m) {
          S::store(zt + m * NR, S::load(zt + m * NR) + acc[m][0]);
          S::store(zt + m * NR + S::L, S::load(zt + m * NR + S::L) + acc[m][1]);
        }
      }
    }
  }
}

// M dims of one strip, over the columns of `tiles` tiles.
template <class S, int M>
static inline void input_gradient_dims(const typename S::T* tile, int64_t tiles, const typename S::T* e, int64_t dim,
                                       typename S::T* out, bool add) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  typename S::V acc[M][2];
  accumulate<S, M, 2, MR, MR, 1>(tile, tiles, dim * MR, e, acc);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    typename S::T* row = out + m * NR;
    S::store(row, add ? S::load(row) + acc[m][0] : acc[m][0]);
    S::store(row + S::L, add ? S::load(row + S::L) + acc[m][1] : acc[m][1]);
  }
}

template <class S>
static void input_gradients(const typename S::T* tile, int64_t tiles, const typename S::T* e, int64_t dim,
                            typename S::T* out, bool add) {
  constexpr int MR = S::MR, NR = 2 * S::L, kTiles = kBlock / MR;
  for (int64_t t0 = 0; t0 < tiles; t0 += kTiles) {
    const int64_t n = tiles - t0 < kTiles ? tiles - t0 : kTiles;
    const typename S::T *first = tile + t0 * dim * MR, *columns = e + t0 * MR * NR;
    for (int64_t d = 0; d < dim; d += MR) {
      const typename S::T* a = first + d * MR;
      typename S::T* o = out + d * NR;
      // A tile of fewer dims than MR would multiply with what follows; narrower ones waste less.
      if (dim - d > MR * 2 / 3) input_gradient_dims<S, MR>(a, n, columns, dim, o, add || t0);
      else if (dim - d > MR / 3) input_gradient_dims<S, MR * 2 / 3>(a, n, columns, dim, o, add || t0);
      else input_gradient_dims<S, MR / 3>(a, n, columns, dim, o, add || t0);
    }
  }
}

// N vectors of dims of one tile's columns, of which `width` elements are written.
template <class S, int N>
static inline void class_gradient_tile(const typename S::T* e, int64_t strip_stride, int64_t strips,
                                       const typename S::T* panel, int64_t width, typename S::T* const* out, int64_t d,
                                       bool add) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  typename S::V acc[MR][N];
  accumulate<S, MR, N, NR, NR, 1>(e, strips, strip_stride, panel, acc);
  const bool whole = width == N * S::L;
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) {
    if (!out[m]) continue;
    typename S::T* row = out[m] + d;
    if (whole) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        S::store(row + n * S::L, add ? S::load(row + n * S::L) + acc[m][n] : acc[m][n]);
      }
    } else {
      typename S::T part[NR] = {};
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) S::store(part + n * S::L, acc[m][n]);
      for (int64_t j = 0; j < width; ++j) row[j] = add ? row[j] + part[j] : part[j];
    }
  }
}

template <class S>
static void class_gradients(const typename S::T* e, int64_t strip_stride, int64_t tiles, int64_t strips,
                            const typename S::T* panels, int64_t panel_stride, int64_t dim, typename S::T* const* out,
                            bool add) {
  constexpr int MR = S::MR, NR = 2 * S::L, kStrips = kBlock / NR;
  for (int64_t q = 0; q < strips; q += kStrips) {
    const int64_t n = strips - q < kStrips ? strips - q : kStrips;
    for (int64_t d = 0; d < dim; d += NR) {
      const typename S::T* panel = panels + d / NR * panel_stride + q * NR * NR;
      const int64_t width = dim - d < NR ? dim - d : NR;
      for (int64_t t = 0; t < tiles; ++t) {
        const typename S::T* et = e + q * strip_stride + t * MR * NR;
        if (width > S::L) class_gradient_tile<S, 2>(et, strip_stride, n, panel, width, out + t * MR, d, add || q);
        else class_gradient_tile<S, 1>(et, strip_stride, n, panel, width, out + t * MR, d, add || q);
      }
    }
  }
}
