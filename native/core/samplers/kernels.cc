#include "core/samplers/kernels.h"

#include <cmath>
#include <cstring>

#include "core/random/philox.h"
#include "core/samplers/series.h"

// One source of each loop, inlined into functions that differ in their target attribute: nothing compiled for
// a wider set has external linkage.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SAMPLED_SOFTMAX_X86_TARGETS 1
#include <immintrin.h>
#define TARGET_AVX2 __attribute__((target("avx2")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512")))
#endif
#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE inline
#endif

namespace sampled_softmax {
namespace {

ALWAYS_INLINE void scaled_uniforms_loop(const uint64_t* pairs, size_t length, double factor, double* x) {
  for (size_t i = 0; i < length; ++i) {
    const uint64_t mantissa = (pairs[i] << 32 | pairs[i] >> 32) & 0xfffffffffffffu;
    const uint64_t bits = 0x3ff0000000000000u | mantissa;
    double one_to_two;
    std::memcpy(&one_to_two, &bits, sizeof one_to_two);
    x[i] = (one_to_two - 1.0) * factor;
  }
}

ALWAYS_INLINE bool log_uniform_classes_loop(const double* x, size_t length, int64_t* classes) {
  // Signs are read as bits, not compared: that is what the compiler vectorises.
  uint64_t any_near = 0;
  for (size_t i = 0; i < length; ++i) {
    const double value = series_exp(x[i]);
    const double shifted = value + 4503599627370496.0;  // 2^52: the nearest integer, in the lowest bits
    const double rest = value - (shifted - 4503599627370496.0);
    const uint64_t nearest = double_bits(shifted) & 0xfffffffffffffu;
    const uint64_t near = double_bits(std::fabs(rest) - value * kNearInteger) >> 63;
    any_near |= near;
    classes[i] = static_cast<int64_t>((nearest - 1 - (double_bits(rest) >> 63)) | (0 - near));
  }
  return any_near != 0;
}

ALWAYS_INLINE void log_uniform_probabilities_loop(double* p, size_t length, double log_range, bool float32) {
  for (size_t i = 0; i < length; ++i) p[i] = series_log_ratio(1.0 / (2.0 * p[i] + 3.0)) / log_range;
  if (!float32) return;
  for (size_t i = 0; i < length; ++i) p[i] = static_cast<float>(p[i]);
}

template <bool float32_steps>
ALWAYS_INLINE bool expected_counts_steps(const double* p, size_t length, double draws, float* counts) {
  uint64_t signs = 0;
  for (size_t i = 0; i < length; ++i) {
    signs |= double_bits(kSeriesProbability - p[i]);
    double y = -series_log_ratio(p[i] / (2.0 - p[i]));  // ln(1 - p)
    if (float32_steps) y = static_cast<float>(y);
    y *= draws;
    if (float32_steps) y = static_cast<float>(y);
    y = y < -50.0 ? -50.0 : y;  // 1 - e^-50 is 1 in double
    counts[i] = static_cast<float>(series_one_minus_exp(y));
  }
  return signs >> 63 != 0;
}

ALWAYS_INLINE bool expected_counts_loop(const double* p, size_t length, double draws, bool float32_steps,
                                        float* counts) {
  return float32_steps ? expected_counts_steps<true>(p, length, draws, counts)
                       : expected_counts_steps<false>(p, length, draws, counts);
}

void philox8_scalar(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* words) {
  for (uint64_t i = 0; i < 8; ++i) philox_block(key, counter_low + i, counter_high, words + 4 * i);
}

#define DEFINE_KERNELS(suffix, target, philox)                                                               \
  target void scaled_uniforms_##suffix(const uint64_t* pairs, size_t length, double factor, double* x) {     \
    scaled_uniforms_loop(pairs, length, factor, x);                                                          \
  }                                                                                                          \
  target bool log_uniform_classes_##suffix(const double* x, size_t length, int64_t* classes) {               \
    return log_uniform_classes_loop(x, length, classes);                                                     \
  }                                                                                                          \
  target void log_uniform_probabilities_##suffix(double* p, size_t length, double log_range, bool float32) { \
    log_uniform_probabilities_loop(p, length, log_range, float32);                                           \
  }                                                                                                          \
  target bool expected_counts_##suffix(const double* p, size_t length, double draws, bool float32_steps,     \
                                       float* counts) {                                                      \
    return expected_counts_loop(p, length, draws, float32_steps, counts);                                    \
  }                                                                                                          \
  constexpr DrawKernels kernels_##suffix{philox, scaled_uniforms_##suffix, log_uniform_classes_##suffix,     \
                                         log_uniform_probabilities_##suffix, expected_counts_##suffix};

DEFINE_KERNELS(baseline, , philox8_scalar)

#if SAMPLED_SOFTMAX_X86_TARGETS
// Each 32-bit word stands in a 64-bit lane, whose upper half is left dirty: the multiplication reads the
// lower half only.
TARGET_AVX2 void philox8_avx2(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* words) {
  const __m256i multiplier0 = _mm256_set1_epi64x(0xD2511F53), multiplier1 = _mm256_set1_epi64x(0xCD9E8D57);
  const __m256i steps = _mm256_setr_epi64x(0, 1, 2, 3);
  __m256i c0[2], c1[2], c2[2], c3[2];
  for (int v = 0; v < 2; ++v) {
    c0[v] =
        _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(counter_low + 4 * static_cast<uint64_t>(v))), steps);
    c1[v] = _mm256_srli_epi64(c0[v], 32);
    c2[v] = _mm256_set1_epi64x(static_cast<int64_t>(counter_high));
    c3[v] = _mm256_srli_epi64(c2[v], 32);
  }
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const __m256i k0 = _mm256_set1_epi64x(key0), k1 = _mm256_set1_epi64x(key1);
    for (int v = 0; v < 2; ++v) {
      const __m256i product0 = _mm256_mul_epu32(c0[v], multiplier0), product1 = _mm256_mul_epu32(c2[v], multiplier1);
      c0[v] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product1, 32), c1[v]), k0);
      c1[v] = product1;
      c2[v] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(product0, 32), c3[v]), k1);
      c3[v] = product0;
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  for (int v = 0; v < 2; ++v) {
    // The lower halves of (c0, c1) and of (c2, c3) side by side, then block after block.
    const __m256i lower = _mm256_blend_epi32(c0[v], _mm256_slli_epi64(c1[v], 32), 0xaa);
    const __m256i upper = _mm256_blend_epi32(c2[v], _mm256_slli_epi64(c3[v], 32), 0xaa);
    const __m256i even = _mm256_unpacklo_epi64(lower, upper), odd = _mm256_unpackhi_epi64(lower, upper);
    __m256i* out = reinterpret_cast<__m256i*>(words + 16 * v);
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(even, odd, 0x31));
  }
}

DEFINE_KERNELS(avx2, TARGET_AVX2, philox8_avx2)
DEFINE_KERNELS(avx512, TARGET_AVX512, philox8_avx2)
#endif

}  // namespace

const DrawKernels& draw_kernels(InstructionSet set) {
  switch (set) {
#if SAMPLED_SOFTMAX_X86_TARGETS
    case InstructionSet::avx2: return kernels_avx2;
    case InstructionSet::avx512:
    case InstructionSet::avx512bf16:
    case InstructionSet::amx: return kernels_avx512;
#endif
    default: return kernels_baseline;
  }
}

const DrawKernels& draw_kernels() {
  static const DrawKernels& chosen = draw_kernels(instruction_set());
  return chosen;
}

}  // namespace sampled_softmax
