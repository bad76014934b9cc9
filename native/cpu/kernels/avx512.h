// The vector types of AVX-512, for the two files that are compiled for it. Included inside their anonymous namespaces,
// after vector.h.

struct Float : Vector<float, int32_t, 16> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  static inline __attribute__((always_inline)) V load_pieces(const float* const* rows, int64_t i, int pieces) {
    V v = _mm512_castps128_ps512(_mm_loadu_ps(rows[0] + i));
    if (pieces > 1) v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[4] + i), 1);
    if (pieces > 2) v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[8] + i), 2);
    if (pieces > 3) v = _mm512_insertf32x4(v, _mm_loadu_ps(rows[12] + i), 3);
    return v;
  }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
};
struct Double : Vector<double, int64_t, 8> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  using Vector::convert;
  static inline __attribute__((always_inline)) V load_pieces(const double* const* rows, int64_t i, int pieces) {
    V v = _mm512_castpd128_pd512(_mm_loadu_pd(rows[0] + i));
    if (pieces > 1) v = _mm512_insertf64x2(v, _mm_loadu_pd(rows[2] + i), 1);
    if (pieces > 2) v = _mm512_insertf64x2(v, _mm_loadu_pd(rows[4] + i), 2);
    if (pieces > 3) v = _mm512_insertf64x2(v, _mm_loadu_pd(rows[6] + i), 3);
    return v;
  }
  // The compiler (gcc 12) converts two halves and puts them together.
  static inline __attribute__((always_inline)) V convert(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
};
