// Tensor cores and the loads that feed them, by the PTX ISA's fragment layouts.
#pragma once
#include <cstdint>

namespace cuemu {

enum class Mma { M16N8K4Tf32, M16N8K8Tf32, M16N8K8Bf16, M16N8K16Bf16, M16N8K8F16, M16N8K16F16 };

// The calling lane's fragments: d += a b, where d is 16 x 8. Products are summed exactly and cut off once, toward zero,
// as tensor cores cut off rather than round; how wide they sum differs from chip to chip, so nobody may rely on the
// last bits.
void multiply_accumulate(Mma shape, float* d, const uint32_t* a, const uint32_t* b);

// Loads `count` 8 x 8 matrices of 16-bit elements; lane 8 i + j gives the address of row j of matrix i.
void load_matrices(uint32_t* fragments, unsigned count, const void* row, bool transposed);

}  // namespace cuemu
