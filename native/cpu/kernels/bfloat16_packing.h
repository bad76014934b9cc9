// Roundings to pairs of bfloat16 that the kernels of reduced.h share. Included by avx512bf16.cc and amx.cc inside their
// anonymous namespaces.

constexpr int NR = 32;

static inline Pair pair(float low, float high) {
  return static_cast<Pair>(float_to_bfloat16(low)) | static_cast<Pair>(float_to_bfloat16(high)) << 16;
}

// strip [depth][NR] of rows [count][dim], zeros beyond both.
static void pack_pairs_of_dims(const float* rows, int64_t count, int64_t dim, int64_t depth, Pair* strip) {
  for (int64_t r = 0; r < NR; ++r) {
    const float* row = rows + r * dim;
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t d = 2 * k;
      strip[k * NR + r] = r < count && d < dim ? pair(row[d], d + 1 < dim ? row[d + 1] : 0) : 0;
    }
  }
}

static void pack_panels(const float* rows, int64_t count, int64_t dim, const double* scale, Pair* panels,
                        int64_t panel_stride) {
  for (int64_t d = 0; d < dim; d += NR, panels += panel_stride) {
    for (int64_t r = 0; r < NR; r += 2) {
      const float s0 = r < count ? static_cast<float>(scale[r]) : 0;
      const float s1 = r + 1 < count ? static_cast<float>(scale[r + 1]) : 0;
      for (int64_t j = 0; j < NR; ++j) {
        const bool inside = d + j < dim;
        panels[r / 2 * NR + j] = pair(inside && r < count ? rows[r * dim + d + j] * s0 : 0,
                                      inside && r + 1 < count ? rows[(r + 1) * dim + d + j] * s1 : 0);
      }
    }
  }
}

// As ReducedKernels::round; an even number of columns.
static void round_columns(const float* e, int64_t columns, Pair* along_columns, Pair* along_rows) {
  alignas(64) uint16_t order[32];  // 0, 16, 1, 17, ...: a row of one column beside the same row of the next
  for (uint16_t i = 0; i < 16; ++i) {
    order[2 * i] = i;
    order[2 * i + 1] = static_cast<uint16_t>(16 + i);
  }
  const __m512i interleave = _mm512_load_si512(order);
  for (int64_t c = 0; c < columns; c += 2, e += 2 * NR, along_columns += NR, along_rows += NR) {
    const __m512 a0 = _mm512_loadu_ps(e), a1 = _mm512_loadu_ps(e + 16), b0 = _mm512_loadu_ps(e + NR),
                 b1 = _mm512_loadu_ps(e + NR + 16);
    _mm512_storeu_si512(along_rows, (__m512i)_mm512_cvtne2ps_pbh(a1, a0));
    _mm512_storeu_si512(along_rows + 16, (__m512i)_mm512_cvtne2ps_pbh(b1, b0));
    const __m512i first = (__m512i)_mm512_cvtne2ps_pbh(b0, a0), second = (__m512i)_mm512_cvtne2ps_pbh(b1, a1);
    _mm512_storeu_si512(along_columns, _mm512_permutexvar_epi16(interleave, first));
    _mm512_storeu_si512(along_columns + 16, _mm512_permutexvar_epi16(interleave, second));
  }
}
