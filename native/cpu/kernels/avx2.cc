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
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
};
struct Double : Vector<double, int64_t, 4> {
  static constexpr int MR = 6;
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
