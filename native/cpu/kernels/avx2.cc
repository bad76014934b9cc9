// AVX2 and FMA: 16 registers of 32 bytes.
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels/kernels.h"

namespace sampled_softmax {
namespace {

#include "cpu/kernels/vector.h"

struct Float : Vector<float, int32_t, 8> {
  static constexpr int MR = 6;
  static inline __attribute__((always_inline)) V load_pieces(const float* const* rows, int64_t i, int pieces) {
    const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(rows[0] + i));
    return pieces > 1 ? _mm256_insertf128_ps(v, _mm_loadu_ps(rows[4] + i), 1) : v;
  }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
};
struct Double : Vector<double, int64_t, 4> {
  static constexpr int MR = 6;
  static inline __attribute__((always_inline)) V load_pieces(const double* const* rows, int64_t i, int pieces) {
    const __m256d v = _mm256_castpd128_pd256(_mm_loadu_pd(rows[0] + i));
    return pieces > 1 ? _mm256_insertf128_pd(v, _mm_loadu_pd(rows[2] + i), 1) : v;
  }
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
};

#include "cpu/kernels/activations.h"
#include "cpu/kernels/packing.h"
#include "cpu/kernels/products.h"
#include "cpu/kernels/table.h"

constexpr KernelSet kSet = {"avx2", kernels_of<Float>(), kernels_of<Double>(), nullptr};

}  // namespace

const KernelSet& avx2_kernels() { return kSet; }

}  // namespace sampled_softmax
