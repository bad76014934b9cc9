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
    case DType::float16:
      for (int64_t i = 0; i < n; ++i) {
        dst[i] = static_cast<T>(float16_to_float(static_cast<const uint16_t*>(src)[i]));
      }
      break;
    case DType::bfloat16:
      for (int64_t i = 0; i < n; ++i) {
        dst[i] = static_cast<T>(bfloat16_to_float(static_cast<const uint16_t*>(src)[i]));
      }
      break;
  }
}

// Through a small block in the L1 cache: the tile is then written once, line by line, and its lines can be fetched
// ahead.
template <class S>
static void pack_tile(const typename S::T* const* rows, int64_t dim, typename S::T* tile) {
  constexpr int MR = S::MR;
  constexpr int64_t kDims = 64;
  typename S::T block[kDims * MR];
  for (int64_t d0 = 0; d0 < dim; d0 += kDims) {
    const int64_t n = dim - d0 < kDims ? dim - d0 : kDims;
    for (int m = 0; m < MR; ++m) {
      const typename S::T* row = rows[m];
      for (int64_t d = 0; d < n; ++d) block[d * MR + m] = row ? row[d0 + d] : 0;
    }
    std::memcpy(tile + d0 * MR, block, static_cast<size_t>(n * MR) * sizeof(typename S::T));
  }
}

template <class S>
static void pack_strip(const typename S::T* rows, int64_t count, int64_t dim, typename S::T* strip) {
  constexpr int NR = 2 * S::L;
  constexpr int64_t kDims = 16;  // a block of them at a time keeps the lines that are written in the L1 cache
  for (int64_t d0 = 0; d0 < dim; d0 += kDims) {
    const int64_t d1 = d0 + kDims < dim ? d0 + kDims : dim;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t d = d0; d < d1; ++d) strip[d * NR + r] = rows[r * dim + d];
    }
    for (int64_t r = count; r < NR; ++r) {
      for (int64_t d = d0; d < d1; ++d) strip[d * NR + r] = 0;
    }
  }
}

template <class S>
static void unpack_strip(const typename S::T* transposed, int64_t count, int64_t dim, const double* scale,
                         typename S::T* rows) {
  constexpr int NR = 2 * S::L;
  constexpr int64_t kDims = 16;
  for (int64_t d0 = 0; d0 < dim; d0 += kDims) {
    const int64_t d1 = d0 + kDims < dim ? d0 + kDims : dim;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t d = d0; d < d1; ++d)
        rows[r * dim + d] = static_cast<typename S::T>(scale[r]) * transposed[d * NR + r];
    }
  }
}

template <class S>
static void pack_panels(const typename S::T* rows, int64_t count, int64_t dim, const double* scale,
                        typename S::T* panels, int64_t panel_stride) {
  constexpr int NR = 2 * S::L;
  for (int64_t d = 0; d < dim; d += NR, panels += panel_stride) {
    const int64_t width = dim - d < NR ? dim - d : NR;
    for (int64_t r = 0; r < NR; ++r) {
      typename S::T* out = panels + r * NR;
      const typename S::T by = r < count ? static_cast<typename S::T>(scale[r]) : 0;
      if (r < count && width == NR) {
        const typename S::V s = S::set1(by);
        S::store(out, S::load(rows + r * dim + d) * s);
        S::store(out + S::L, S::load(rows + r * dim + d + S::L) * s);
        continue;
      }
      for (int64_t j = 0; j < NR; ++j) out[j] = r < count && j < width ? rows[r * dim + d + j] * by : 0;
    }
  }
}

template <int N>
static inline double sum_of(double (&terms)[N]) {
  for (int width = N / 2; width; width /= 2) {
    for (int i = 0; i < width; ++i) terms[i] += terms[i + width];
  }
  return terms[0];
}

template <class S>
static void column_sums(const typename S::T* e, int64_t strip_stride, int64_t columns, int64_t strips,
                        const double* scale, double* out) {
  constexpr int NR = 2 * S::L;
  for (int64_t c = 0; c < columns; ++c) {
    double sums[NR] = {0};
    for (int64_t q = 0; q < strips; ++q) {
      const typename S::T* at = e + q * strip_stride + c * NR;
      for (int r = 0; r < NR; ++r) sums[r] += static_cast<double>(at[r]) * scale[q * NR + r];
    }
    out[c] = sum_of(sums);
  }
}

template <class S>
static double dot(const typename S::T* a, const typename S::T* b, int64_t n) {
  constexpr int kSums = 16;  // enough for the compiler's widest vectors, and to hide the latency of an addition
  double sums[kSums] = {0};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int j = 0; j < kSums; ++j) sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  }
  for (int j = 0; i < n; ++i, ++j) sums[j] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum_of(sums);
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
