// The vector types of AVX-512, for the two files that are compiled for it. Included inside their anonymous namespaces,
// after vector.h.

struct Float : Vector<float, int32_t, 16> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
};
struct Double : Vector<double, int64_t, 8> {
  static constexpr int MR = 12;
  static constexpr bool kBroadcastsInPlace = true;
  using Vector::convert;
  // The compiler (gcc 12) converts two halves and puts them together.
  static inline __attribute__((always_inline)) V convert(const float* p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm512_fmadd_pd(a, b, c); }
};
