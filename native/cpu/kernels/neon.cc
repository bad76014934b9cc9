// arm64: 32 registers of 16 bytes.
#include <arm_neon.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels/kernels.h"

namespace sampled_softmax {
namespace {

#include "cpu/kernels/vector.h"

struct Float : Vector<float, int32_t, 4> {
  static constexpr int MR = 12;
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
};
struct Double : Vector<double, int64_t, 2> {
  static constexpr int MR = 12;
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return vfmaq_f64(c, a, b); }
};

#include "cpu/kernels/activations.h"
#include "cpu/kernels/packing.h"
#include "cpu/kernels/products.h"
#include "cpu/kernels/table.h"

constexpr KernelSet kSet = {"neon", kernels_of<Float>(), kernels_of<Double>(), nullptr};

}  // namespace

const KernelSet& neon_kernels() { return kSet; }

}  // namespace sampled_softmax
