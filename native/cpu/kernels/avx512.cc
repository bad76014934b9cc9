// AVX-512 (F, BW, DQ, VL): 32 registers of 64 bytes.
#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels/kernels.h"

namespace sampled_softmax {
namespace {

#include "cpu/kernels/vector.h"

// Defines what those after it use.
#include "cpu/kernels/avx512.h"

#include "cpu/kernels/activations.h"
#include "cpu/kernels/packing.h"
#include "cpu/kernels/products.h"
#include "cpu/kernels/table.h"

constexpr KernelSet kSet = {"avx512", kernels_of<Float>(), kernels_of<Double>(), nullptr};

}  // namespace

const KernelSet& avx512_kernels() { return kSet; }

}  // namespace sampled_softmax
