// Moving rows into packed blocks and out of them, and the few vector operations on single rows, for one instruction
// set. Included by kernels/<instruction set>.cc inside its anonymous namespace, after it has defined its vector types.

template <class T>
static void convert(const void* src, DType dtype, int64_t n, T* dst) {
  switch (dtype) {
    case DType::float32:
      for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<T>(static_cast<const float*>(src)[i]);
      break;
    case DType::float64:
      for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<T>(static_cast<const double*>(src)[i]);
      break;
    case DType::float16: {
      int64_t i = 0;
#if defined(__F16C__)
      for (; sizeof(T) == sizeof(float) && i + 8 <= n; i += 8) {
        const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const uint16_t*>(src) + i));
        _mm256_storeu_ps(reinterpret_cast<float*>(dst + i), _mm256_cvtph_ps(halves));
      }
#endif
      for (; i < n; ++i) {
        dst[i] = static_cast<T>(float16_to_float(static_cast<const uint16_t*>(src)[i]));
      }
      break;
    }
    case DType::bfloat16:
      for (int64_t i = 0; i < n; ++i) {
        dst[i] = static_cast<T>(bfloat16_to_float(static_cast<const uint16_t*>(src)[i]));
      }
      break;
  }
}

// Transposed by squares of a piece, and those put together: each line of the tile is written once, by whole vectors.
template <class S>
static void pack_tile(const typename S::T* const* rows, int64_t dim, typename S::T* tile) {
  using T = typename S::T;
  constexpr int MR = S::MR, L = S::L, kPiece = S::kPiece;
  constexpr int kRows = (MR + kPiece - 1) / kPiece * kPiece, kVectors = (MR + L - 1) / L;
  static_assert(kPiece * MR % L == 0, "a piece of dims fills whole vectors");
  constexpr int64_t kDims = 64;
  static const T zeros[kDims] = {};
  for (int64_t d0 = 0; d0 < dim; d0 += kDims) {
    const int64_t n = dim - d0 < kDims ? dim - d0 : kDims;
    const T* at[kRows];
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) at[m] = m < MR && rows[m] ? rows[m] + d0 : zeros;
    int64_t d = 0;
    for (; d + kPiece <= n; d += kPiece) {
      typename S::V columns[kPiece * kVectors];  // of each dim kVectors, with MR elements
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        typename S::V squares[kPiece];
#pragma GCC unroll 4
        for (int i = 0; i < kPiece; ++i) {
          squares[i] = S::load_pieces(at + v * L + i, d, (MR - v * L + kPiece - 1) / kPiece);
        }
        S::transpose(squares);
#pragma GCC unroll 4
        for (int i = 0; i < kPiece; ++i) columns[i * kVectors + v] = squares[i];
      }
      // Elements [k, k + L) of all lie in two of them at most.
      const auto vector_of = [](int element) { return element / MR * kVectors + element % MR / L; };
#pragma GCC unroll 16
      for (int k = 0; k < kPiece * MR; k += L, tile += L) {
        const int first = vector_of(k);
        typename S::I from;
        for (int l = 0; l < L; ++l) from[l] = (k + l) % MR % L + (vector_of(k + l) == first ? 0 : L);
        S::store(tile, __builtin_shuffle(columns[first], columns[vector_of(k + L - 1)], from));
      }
    }
    for (; d < n; ++d) {
      for (int m = 0; m < MR; ++m) *tile++ = at[m][d];
    }
  }
}

template <class S>
static void pack_strip(const typename S::T* rows, int64_t count, int64_t dim, typename S::T* strip) {
  constexpr int L = S::L, NR = 2 * L;
  for (int64_t r0 = 0; r0 < NR; r0 += L) {
    int64_t d = 0;
    for (; d + L <= dim; d += L) {
      typename S::V square[L];
#pragma GCC unroll 16
      for (int r = 0; r < L; ++r) square[r] = r0 + r < count ? S::load(rows + (r0 + r) * dim + d) : S::zero();
      S::transpose(square);
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) S::store(strip + (d + i) * NR + r0, square[i]);
    }
    for (; d < dim; ++d) {
      for (int64_t r = r0; r < r0 + L; ++r) strip[d * NR + r] = r < count ? rows[r * dim + d] : 0;
    }
  }
}

template <class S>
static void unpack_strip(const typename S::T* transposed, int64_t count, int64_t dim, const double* scale,
                         const typename S::T* const* added, const double* by, typename S::T* rows) {
  using T = typename S::T;
  constexpr int L = S::L, NR = 2 * L;
  for (int64_t r0 = 0; r0 < count; r0 += L) {
    int64_t d = 0;
    for (; d + L <= dim; d += L) {
      typename S::V square[L];
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) square[i] = S::load(transposed + (d + i) * NR + r0);
      S::transpose(square);
      for (int64_t r = r0; r < count && r < r0 + L; ++r) {
        const typename S::V row = square[r - r0] * S::set1(static_cast<T>(scale[r]));
        S::store(rows + r * dim + d, added ? S::fma(S::set1(static_cast<T>(by[r])), S::load(added[r] + d), row) : row);
      }
    }
    for (int64_t r = r0; r < count && r < r0 + L; ++r) {
      for (int64_t i = d; i < dim; ++i) {
        const T x = static_cast<T>(scale[r]) * transposed[i * NR + r];
        rows[r * dim + i] = added ? x + static_cast<T>(by[r]) * added[r][i] : x;
      }
    }
  }
}

template <class S>
static void pack_panels(const typename S::T* rows, int64_t count, int64_t dim, const double* scale,
                        typename S::T* panels, int64_t panel_stride) {
  constexpr int L = S::L, NR = 2 * L;
  for (int64_t d = 0; d < dim; d += NR, panels += panel_stride) {
    const int64_t width = dim - d < NR ? dim - d : NR;
    for (int64_t r = 0; r < NR; ++r) {
      typename S::T* out = panels + r * NR;
      const typename S::T by = r < count ? static_cast<typename S::T>(scale[r]) : 0;
      if (r < count && width == NR) {
        const typename S::V s = S::set1(by);
        S::store(out, S::load(rows + r * dim + d) * s);
        S::store(out + L, S::load(rows + r * dim + d + L) * s);
        continue;
      }
      for (int64_t j = 0; j < NR; ++j) out[j] = r < count && j < width ? rows[r * dim + d + j] * by : 0;
    }
    const int64_t few = width % L, whole = width - few;
    for (int64_t i = 0; few <= S::kFew && i < few; ++i) {
      for (int64_t r = 0; r < NR; ++r) {
        const typename S::T by = r < count ? static_cast<typename S::T>(scale[r]) : 0;
        panels[(2 * i + r / L) * NR + whole + r % L] = r < count ? rows[r * dim + d + whole + i] * by : 0;
      }
    }
  }
}

// A few rows a lane in T, and those sums in double: to convert every term took three times as long, 2 % of a step.
template <class S>
static void column_sums(const typename S::T* e, int64_t strip_stride, int64_t columns, int64_t strips,
                        const double* scale, double* out) {
  constexpr int L = S::L, NR = 2 * L, DL = Double::L;
  constexpr int64_t kStrips = 4;
  for (int64_t q0 = 0; q0 < strips; q0 += kStrips, e += kStrips * strip_stride, scale += kStrips * NR) {
    const int64_t n = strips - q0 < kStrips ? strips - q0 : kStrips;
    typename S::T by[kStrips * NR];
    for (int64_t r = 0; r < n * NR; ++r) by[r] = static_cast<typename S::T>(scale[r]);
    for (int64_t c0 = 0; c0 < columns; c0 += DL) {
      const int64_t count = columns - c0 < DL ? columns - c0 : DL;
      Double::V sums[DL] = {};
      for (int64_t c = 0; c < count; ++c) {
        const typename S::T* at = e + (c0 + c) * NR;
        typename S::V sum[2] = {S::zero(), S::zero()};
        for (int64_t q = 0; q < n; ++q, at += strip_stride) {
          sum[0] = S::fma(S::load(at), S::load(by + q * NR), sum[0]);
          sum[1] = S::fma(S::load(at + L), S::load(by + q * NR + L), sum[1]);
        }
        typename S::T lanes[L];
        S::store(lanes, sum[0] + sum[1]);
#pragma GCC unroll 4
        for (int i = 0; i < L; i += DL) sums[c] += Double::convert(lanes + i);
      }
      double totals[DL];
      Double::store(totals, sums_of_each<Double>(sums));
      for (int64_t c = 0; c < count; ++c) out[c0 + c] = q0 ? out[c0 + c] + totals[c] : totals[c];
    }
  }
}

// Eight products a lane in T, and those sums in double: to convert every element cost a small step 1.4 %.
template <class S>
static double dot(const typename S::T* a, const typename S::T* b, int64_t n) {
  constexpr int L = S::L, DL = Double::L;
  constexpr int64_t kTerms = 8;
  Double::V total = Double::zero();
  int64_t i = 0;
  while (i + 2 * L <= n) {
    typename S::V sums[2] = {S::zero(), S::zero()};
    for (const int64_t end = n - i < kTerms * L ? n : i + kTerms * L; i + 2 * L <= end; i += 2 * L) {
      sums[0] = S::fma(S::load(a + i), S::load(b + i), sums[0]);
      sums[1] = S::fma(S::load(a + i + L), S::load(b + i + L), sums[1]);
    }
    typename S::T lanes[L];
    S::store(lanes, sums[0] + sums[1]);
#pragma GCC unroll 4
    for (int l = 0; l < L; l += DL) total += Double::convert(lanes + l);
  }
  for (; i + DL <= n; i += DL) total = Double::fma(Double::convert(a + i), Double::convert(b + i), total);
  double sum = Double::sum(total);
  for (; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

template <class S>
static void add_scaled(typename S::T scale, const typename S::T* x, int64_t n, typename S::T* y) {
  const typename S::V s = S::set1(scale);
  int64_t i = 0;
  for (; i + S::L <= n; i += S::L) S::store(y + i, S::fma(s, S::load(x + i), S::load(y + i)));
  for (; i < n; ++i) y[i] += scale * x[i];
}

template <class S>
static void scaled(typename S::T scale, const typename S::T* x, int64_t n, typename S::T* y) {
  const typename S::V s = S::set1(scale);
  int64_t i = 0;
  for (; i + S::L <= n; i += S::L) S::store(y + i, s * S::load(x + i));
  for (; i < n; ++i) y[i] = scale * x[i];
}

template <class S>
static void sum_rows(const typename S::T* x, int64_t stride, int64_t count, int64_t n, typename S::T* y, bool add) {
  int64_t i = 0;
  for (; i + S::L <= n; i += S::L) {
    typename S::V sum = S::load(x + i);
    for (int64_t k = 1; k < count; ++k) sum += S::load(x + k * stride + i);
    S::store(y + i, add ? S::load(y + i) + sum : sum);
  }
  for (; i < n; ++i) {
    typename S::T sum = x[i];
    for (int64_t k = 1; k < count; ++k) sum += x[k * stride + i];
    y[i] = add ? y[i] + sum : sum;
  }
}
