// AVX-512 with BF16: the float kernels of AVX-512, and products of bfloat16.
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

// Define what bfloat16.h uses.
#include "cpu/kernels/bfloat16_packing.h"

#include "cpu/kernels/bfloat16.h"

constexpr KernelSet kSet = {"avx512bf16", kernels_of<Float>(), kernels_of<Double>(), &bfloat16::kKernels};

}  // namespace

const KernelSet& avx512bf16_kernels() { return kSet; }

}  // namespace sampled_softmax
