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

// Whether the multiply-adds of row m broadcast its element themselves, each for itself, instead of an instruction
// before them. Two rows of three: a step is then 30 operations instead of 38 for its 12 cycles, with 22 loads of the 24
// that fit. A processor that is shared with another hyperthread has half its turns of six operations, 36: all three
// products were 1.07 to 1.11 times as fast on a machine with busy neighbours (half of the rows: 1.05 to 1.09).
template <class S>
constexpr bool in_place(int m) {
  return S::kBroadcastsInPlace && m % 3;
}

// acc[m] = sum_k a(m, k) * b[k]. Element (m, k) lies at a[m * MS + k * KS] within a group of `Group` steps, which are
// one piece of memory; the next group begins `group_stride` further on, and after the last whole one come `rest` steps.
// Meanwhile asks for the pieces that lie `ahead` elements further on, which are the next product's: they lie too far
// apart for a processor to foresee. Without that language-model's logits took 1.07 to 1.14 times as long, the class
// gradients 1.02 to 1.09, and whole steps of the large workloads 1.03 to 1.05. Calls `each` at every second step.
template <class S, int M, int N, int Group, int MS, int KS, class Each>
static inline __attribute__((always_inline)) void accumulate(const typename S::T* a, int64_t groups,
                                                             int64_t group_stride, int64_t ahead, int64_t rest,
                                                             const typename S::T* b, typename S::V (&acc)[M][N],
                                                             Each&& each) {
  constexpr int kLine = 64 / sizeof(typename S::T), kAtOnce = 2 * M;  // elements of a cache line; of two steps
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) acc[m][n] = S::zero();
  }
  const auto step = [&](const typename S::T* ak, const typename S::T* bk) __attribute__((always_inline)) {
    typename S::V bv[N];
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) bv[n] = S::load(bk + n * S::L);
    // The compiler, which would load an element once for all its uses, is not to know that it is the same.
    const typename S::T* again = ak;
    if (S::kBroadcastsInPlace) asm("" : "+r"(again));
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 2
      for (int n = 0; n < N; ++n) {
        acc[m][n] = S::fma(S::set1((n && in_place<S>(m) ? again : ak)[m * MS]), bv[n], acc[m][n]);
      }
    }
  };
  for (int64_t g = 0; g < groups; ++g, a += group_stride) {
    const typename S::T *ak = a, *next = a + ahead;
    for (int k = 0; k < Group / 2; ++k, ak += 2 * KS, next += kAtOnce, b += 4 * S::L) {
      each();
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; i += kLine) __builtin_prefetch(next + i);
      step(ak, b);
      step(ak + KS, b + 2 * S::L);
    }
    if (Group % 2) {
      step(ak, b);
      b += 2 * S::L;
    }
  }
  for (int64_t k = 0; k < rest; ++k, a += KS, b += 2 * S::L) step(a, b);
}

// Calls f with what a product of some steps calls at every second one. A copy of the product for each of the two: to
// touch memory would cost a processor of four operations a cycle a twentieth of every product.
template <class F>
static inline __attribute__((always_inline)) void with_touch(Touch touch, int64_t steps, F&& f) {
  if (touch.at < touch.end) {
    const int64_t bytes = (touch.end - touch.at) / (steps / 2 + 1) + 1;
    f([&touch, bytes ]() __attribute__((always_inline)) { touch.next(bytes); });
  } else {
    f([] {});
  }
}

// Calls f with the narrowest of three heights that covers `rows`: MR, two thirds or a third of it.
template <class S, class F>
static inline __attribute__((always_inline)) void with_height(int64_t rows, F&& f) {
  if (rows > S::MR * 2 / 3) f(std::integral_constant<int, S::MR>());
  else if (rows > S::MR / 3) f(std::integral_constant<int, S::MR * 2 / 3>());
  else f(std::integral_constant<int, S::MR / 3>());
}

// Calls f with the vectors of a strip that `rows` of it fill: one or two.
template <class S, class F>
static inline __attribute__((always_inline)) void with_width(int64_t rows, F&& f) {
  if (rows > S::L) f(std::integral_constant<int, 2>());
  else f(std::integral_constant<int, 1>());
}

// Logits of M columns of a tile with N vectors of rows; the next one lies `next_tile` further on. `first`: of the first
// block of dims.
template <class S, int M, int N, class Each>
static inline void logits_tile(const typename S::T* tile, int64_t dims, int64_t next_tile, const typename S::T* strip,
                               const typename S::T* offset, typename S::T* z, bool first, Each&& each) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  typename S::V acc[M][N];
  accumulate<S, M, N, 2, 1, MR>(tile, dims / 2, 2 * MR, next_tile, dims % 2, strip, acc, each);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    typename S::T* row = z + m * NR;
    const typename S::V o = S::set1(offset[m]);
    S::store(row, acc[m][0] + (first ? o : S::load(row)));
    if constexpr (N == 2) S::store(row + S::L, acc[m][1] + (first ? o : S::load(row + S::L)));
    else S::store(row + S::L, o);
  }
}

template <class S>
static void logits(const typename S::T* tile, int64_t columns, const typename S::T* strip, int64_t rows, int64_t dim,
                   const typename S::T* offset, typename S::T* z, Touch touch) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  const int64_t blocks = dim > kBlock ? (dim + kBlock - 1) / kBlock : 1;
  const auto all_tiles = [&](auto width, auto each) __attribute__((always_inline)) {
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t k0 = dim * block / blocks, k1 = dim * (block + 1) / blocks;
      for (int64_t c = 0; c < columns; c += MR) {
        with_height<S>(
            columns - c, [&](auto height) __attribute__((always_inline)) {
              logits_tile<S, height, width>(tile + c * dim + k0 * MR, k1 - k0, MR * dim, strip + k0 * NR, offset + c,
                                            z + c * NR, block == 0, each);
            });
      }
    }
  };
  with_touch(touch, (columns + MR - 1) / MR * dim,
             [&](auto each) { with_width<S>(rows, [&](auto width) { all_tiles(width, each); }); });
}

// M dims of N vectors of rows, over whole tiles and `rest` columns of the next.
template <class S, int M, int N, class Each>
static inline void input_gradient_dims(const typename S::T* tile, int64_t tiles, int64_t rest, const typename S::T* e,
                                       int64_t dim, typename S::T* out, bool add, Each&& each) {
  constexpr int MR = S::MR, NR = 2 * S::L;
  typename S::V acc[M][N];
  accumulate<S, M, N, MR, MR, 1>(tile, tiles, dim * MR, M * MR, rest, e, acc, each);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    typename S::T* row = out + m * NR;
    S::store(row, add ? S::load(row) + acc[m][0] : acc[m][0]);
    if constexpr (N == 2) S::store(row + S::L, add ? S::load(row + S::L) + acc[m][1] : acc[m][1]);
    else S::store(row + S::L, S::zero());
  }
}

template <class S>
static void input_gradients(const typename S::T* tile, int64_t columns, const typename S::T* e, int64_t rows,
                            int64_t dim, typename S::T* out, bool add, Touch touch) {
  constexpr int MR = S::MR, NR = 2 * S::L, kColumns = kBlock / MR * MR;
  const auto all_dims = [&](auto width, auto each) __attribute__((always_inline)) {
    for (int64_t c = 0; c < columns; c += kColumns) {
      const int64_t n = columns - c < kColumns ? columns - c : kColumns;
      for (int64_t d = 0; d < dim; d += MR) {
        with_height<S>(
            dim - d, [&](auto height) __attribute__((always_inline)) {
              input_gradient_dims<S, height, width>(tile + c * dim + d * MR, n / MR, n % MR, e + c * NR, dim,
                                                    out + d * NR, add || c, each);
            });
      }
    }
  };
  with_touch(touch, (dim + MR - 1) / MR * columns,
             [&](auto each) { with_width<S>(rows, [&](auto width) { all_dims(width, each); }); });
}

// N vectors of dims of M columns, of which `width` elements are written, over the first `rows` rows.
template <class S, int M, int N, class Each>
static inline void class_gradient_tile(const typename S::T* e, int64_t strip_stride, int64_t rows,
                                       const typename S::T* panel, int64_t width, typename S::T* const* out, int64_t d,
                                       int64_t columns, bool add, Each&& each) {
  constexpr int NR = 2 * S::L;
  typename S::V acc[M][N];
  accumulate<S, M, N, NR, NR, 1>(e, rows / NR, strip_stride, M * NR, rows % NR, panel, acc, each);
  const bool whole = width == N * S::L;
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    if (m >= columns) break;
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

// `few` dims of `columns` columns, from the lanes of a panel that hold them the other way round: vectors along rows. Of
// 50 dims in vectors of 16, the last two would cost as much as sixteen, 5 % of a step.
template <class S>
static inline void class_gradient_few(const typename S::T* e, int64_t strip_stride, int64_t strips,
                                      const typename S::T* lanes, int few, typename S::T* const* out, int64_t d,
                                      int64_t columns, bool add) {
  constexpr int L = S::L, NR = 2 * L;
  for (int64_t c0 = 0; c0 < columns; c0 += L) {
    const int64_t count = columns - c0 < L ? columns - c0 : L;
    typename S::V sums[S::kFew][L] = {};
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t q = 0; q < strips; ++q) {
        const typename S::T *eq = e + q * strip_stride + (c0 + c) * NR, *rows = lanes + q * NR * NR;
        const typename S::V e0 = S::load(eq), e1 = S::load(eq + L);
#pragma GCC unroll 4
        for (int i = 0; i < S::kFew && i < few; ++i) {
          sums[i][c] = S::fma(e0, S::load(rows + 2 * i * NR), sums[i][c]);
          sums[i][c] = S::fma(e1, S::load(rows + (2 * i + 1) * NR), sums[i][c]);
        }
      }
    }
    for (int i = 0; i < few; ++i) {
      typename S::T totals[L];
      S::store(totals, sums_of_each<S>(sums[i]));
      for (int64_t c = 0; c < count; ++c) {
        typename S::T& to = out[c0 + c][d + i];
        to = add ? to + totals[c] : totals[c];
      }
    }
  }
}

template <class S>
static void class_gradients(const typename S::T* e, int64_t strip_stride, int64_t columns, int64_t rows,
                            const typename S::T* panels, int64_t panel_stride, int64_t dim, typename S::T* const* out,
                            bool add, Touch touch) {
  constexpr int MR = S::MR, L = S::L, NR = 2 * L;
  with_touch(touch, (columns + MR - 1) / MR * ((dim + NR - 1) / NR) * rows, [&](auto each) {
    for (int64_t r = 0; r < rows; r += kBlock) {
      const int64_t n = rows - r < kBlock ? rows - r : kBlock, strip = r / NR;
      for (int64_t d = 0; d < dim; d += NR) {
        const typename S::T* panel = panels + d / NR * panel_stride + r * NR;
        const int64_t left = dim - d < NR ? dim - d : NR;
        const int64_t few = left % L <= S::kFew ? left % L : 0, width = left - few;
        for (int64_t c = 0; c < columns; c += MR) {
          const typename S::T* et = e + strip * strip_stride + c * NR;
          const int64_t height = columns - c < MR ? columns - c : MR;
          with_height<S>(
              columns - c, [&](auto m) __attribute__((always_inline)) {
                if (width > L) {
                  class_gradient_tile<S, m, 2>(et, strip_stride, n, panel, width, out + c, d, height, add || r, each);
                } else if (width > 0) {
                  class_gradient_tile<S, m, 1>(et, strip_stride, n, panel, width, out + c, d, height, add || r, each);
                }
              });
          if (few) {
            class_gradient_few<S>(et, strip_stride, (n + NR - 1) / NR, panel + width, static_cast<int>(few), out + c,
                                  d + width, height, add || r);
          }
        }
      }
    }
  });
}
