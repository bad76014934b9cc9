// The vector types of AVX-512, for the two files that are compiled for it. Included inside their anonymous namespaces,
// after vector.h.

// Vector::load_pieces of either type.
template <class T>
static inline __attribute__((always_inline)) __m512i load_512_bits(const T* const* rows, int64_t i, int pieces) {
  constexpr int kPiece = 16 / sizeof(T);
  const auto piece = [&](int n) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[n * kPiece] + i)); };
  __m512i v = _mm512_castsi128_si512(piece(0));
  if (pieces > 1) v = _mm512_inserti32x4(v, piece(1), 1);
  if (pieces > 2) v = _mm512_inserti32x4(v, piece(2), 2);
  if (pieces > 3) v = _mm512_inserti32x4(v, piece(3), 3);
  return v;
}

struct Float : Vector<float, int32_t, 16> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  static inline __attribute__((always_inline)) V load_pieces(const float* const* rows, int64_t i, int pieces) {
    return _mm512_castsi512_ps(load_512_bits(rows, i, pieces));
  }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
};
struct Double : Vector<double, int64_t, 8> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  using Vector::convert;
  static inline __attribute__((always_inline)) V load_pieces(const double* const* rows, int64_t i, int pieces) {
    return _mm512_castsi512_pd(load_512_bits(rows, i, pieces));
  }
  // The compiler (gcc 12) converts two halves and puts them together.
  static inline __attribute__((always_inline)) V convert(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
};
