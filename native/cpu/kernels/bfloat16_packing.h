// Roundings to pairs of bfloat16 that the kernels of reduced.h share. Included by avx512bf16.cc and amx.cc inside their
// anonymous namespaces.

constexpr int NR = 32;

// The first `count` of 16 lanes.
static inline __mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : count > 0 ? (1u << count) - 1 : 0);
}

// Pairs of neighbours: those of `low`, then those of `high`.
static inline __m512i pairs_along(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }
// Pairs of what is at one place in both.
static inline __m512i pairs_across(__m512 low, __m512 high) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), pairs_along(low, high));
}

// 16 floats of a row from dim d on, zeros beyond its end; all zeros without a row.
static inline __m512 load_row(const float* row, int64_t d, int64_t dim) {
  return row ? _mm512_maskz_loadu_ps(first_lanes(dim - d), row + d) : _mm512_setzero_ps();
}

// to [depth][width] pairs of dims of `width` rows, row(m) of which may be null. By sixteen pairs of each row, which are
// then turned over.
template <int width, class Row>
static inline void pack_pairs_of_dims(Row row, int64_t dim, int64_t depth, Pair* to) {
  constexpr int kVectors = (width + 15) / 16;
  alignas(64) Pair block[16 * kVectors][16] = {};
  alignas(64) int32_t offsets[16];
  for (int i = 0; i < 16; ++i) offsets[i] = i * 16;
  const __m512i column = _mm512_load_si512(offsets);
  for (int64_t k = 0; k < depth; k += 16) {
    for (int m = 0; m < width; ++m) {
      _mm512_store_si512(block[m], pairs_along(load_row(row(m), 2 * k, dim), load_row(row(m), 2 * k + 16, dim)));
    }
    for (int64_t i = 0; i < 16 && k + i < depth; ++i) {
      for (int v = 0; v < kVectors; ++v) {
        _mm512_mask_storeu_epi32(to + (k + i) * width + 16 * v, first_lanes(width - 16 * v),
                                 _mm512_i32gather_epi32(column, block[16 * v] + i, 4));
      }
    }
  }
}

// strip [depth][NR] of rows [count][dim], zeros beyond both.
static void pack_rows(const float* rows, int64_t count, int64_t dim, int64_t depth, Pair* strip) {
  pack_pairs_of_dims<NR>([&](int64_t r) { return r < count ? rows + r * dim : nullptr; }, dim, depth, strip);
}

static void pack_panels(const float* rows, int64_t count, int64_t dim, const double* scale, Pair* panels,
                        int64_t panel_stride) {
  const auto scaled = [&](int64_t r, int64_t d) {
    if (r >= count) return _mm512_setzero_ps();
    return load_row(rows + r * dim, d, dim) * _mm512_set1_ps(static_cast<float>(scale[r]));
  };
  for (int64_t d = 0; d < dim; d += NR, panels += panel_stride) {
    for (int64_t r = 0; r < NR; r += 2) {
      for (int64_t j = 0; j < NR; j += 16) {
        // Beyond the dims zeros, though a scale may be infinite.
        const __mmask16 lanes = first_lanes(dim - d - j);
        const __m512i pairs = pairs_across(scaled(r, d + j), scaled(r + 1, d + j));
        _mm512_storeu_si512(panels + r / 2 * NR + j, _mm512_maskz_mov_epi32(lanes, pairs));
      }
    }
  }
}

// As ReducedKernels::round; an even number of columns.
static void round_columns(const float* e, int64_t columns, Pair* along_columns, Pair* along_rows) {
  for (int64_t c = 0; c < columns; c += 2, e += 2 * NR, along_columns += NR, along_rows += NR) {
    const __m512 a0 = _mm512_loadu_ps(e), a1 = _mm512_loadu_ps(e + 16);
    const __m512 b0 = _mm512_loadu_ps(e + NR), b1 = _mm512_loadu_ps(e + NR + 16);
    _mm512_storeu_si512(along_rows, pairs_along(a0, a1));
    _mm512_storeu_si512(along_rows + 16, pairs_along(b0, b1));
    _mm512_storeu_si512(along_columns, pairs_across(a0, b0));
    _mm512_storeu_si512(along_columns + 16, pairs_across(a1, b1));
  }
}
