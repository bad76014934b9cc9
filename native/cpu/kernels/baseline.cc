// x86-64 without extensions (SSE2), and any other processor the package has no kernels for: vectors of 16 bytes.
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels/kernels.h"

namespace sampled_softmax {
namespace {

#include "cpu/kernels/vector.h"

struct Float : Vector<float, int32_t, 4> {
  static constexpr int MR = 6;
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return a * b + c; }
};
struct Double : Vector<double, int64_t, 2> {
  static constexpr int MR = 6;
  static inline __attribute__((always_inline)) V fma(V a, V b, V c) { return a * b + c; }
};

#include "cpu/kernels/activations.h"
#include "cpu/kernels/packing.h"
#include "cpu/kernels/products.h"
#include "cpu/kernels/table.h"

constexpr KernelSet kSet = {"baseline", kernels_of<Float>(), kernels_of<Double>(), nullptr};

}  // namespace

const KernelSet& baseline_kernels() { return kSet; }

}  // namespace sampled_softmax
