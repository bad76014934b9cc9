// A tile of a matrix product on tensor cores: float operands rounded to tf32 (11 bits, which hold every bfloat16 and
// every normal float16 as they are), sums in float32. mma.sync m16n8k8, from sm_80 on; elsewhere it must not be
// launched.
//
// Each of the four warps has 32 rows and all 64 columns of the tile. 24 fragments of 32 values for 16 instructions: 24
// reads of 128 bytes, which a multiprocessor does in 24 cycles, against 32 cycles of an A100's tensor cores and 16 of
// an H100's, where shared memory is then the bound, at two thirds of what mma.sync could do.
#pragma once

#include "cuda/kernels/operand.cuh"

namespace sampled_softmax {
namespace cuda {

template <Inside inside_a, Inside inside_b>
struct TensorProduct : Operands<float, inside_a, inside_b> {
  using Tl = Tile<float>;
  using typename Operands<float, inside_a, inside_b>::A;
  using typename Operands<float, inside_a, inside_b>::B;
  static constexpr int kInstructionM = 16, kInstructionN = 8, kInstructionK = 8;
  static constexpr int kWarpM = 32, kBlocksM = kWarpM / kInstructionM, kBlocksN = Tl::kN / kInstructionN;
  static constexpr int kRows = 2 * kBlocksM, kColumns = 2 * kBlocksN;
  static constexpr int kRun = 2;       // columns side by side: n_of(j), n_of(j + 1)
  static constexpr int kRowLanes = 4;  // neighbours in a warp that share their rows

  // PTX ISA, mma.m16n8k8: a lane's group has a row of a and a column of b, its place in the group two columns of the
  // sum.
  static __device__ __forceinline__ int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  static __device__ __forceinline__ int row_lane() { return static_cast<int>(threadIdx.x) % 4; }
  static __device__ __forceinline__ int first_row() { return static_cast<int>(threadIdx.x) / 32 * kWarpM; }
  static __device__ __forceinline__ int m_of(int i) {
    return first_row() + i / 2 * kInstructionM + i % 2 * 8 + group();
  }
  static __device__ __forceinline__ int n_of(int j) { return j / 2 * kInstructionN + 2 * row_lane() + j % 2; }

  float sum[kRows][kColumns] = {};

  __device__ __forceinline__ void add(const float* a, const float* b) {
#pragma unroll
    for (int k0 = 0; k0 < Tl::kK; k0 += kInstructionK) {
      const int k = k0 + row_lane();
      uint32_t x[kBlocksM][4], y[kBlocksN][2];
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i) {
        const int m = first_row() + i * kInstructionM + group();
        x[i][0] = rounded(a[A::offset(m, k)]);
        x[i][1] = rounded(a[A::offset(m + 8, k)]);
        x[i][2] = rounded(a[A::offset(m, k + 4)]);
        x[i][3] = rounded(a[A::offset(m + 8, k + 4)]);
      }
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j) {
        const int n = j * kInstructionN + group();
        y[j][0] = rounded(b[B::offset(n, k)]);
        y[j][1] = rounded(b[B::offset(n, k + 4)]);
      }
#pragma unroll
      for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
        for (int j = 0; j < kBlocksN; ++j) {
          multiply(x[i], y[j], sum[2 * i][2 * j], sum[2 * i][2 * j + 1], sum[2 * i + 1][2 * j],
                   sum[2 * i + 1][2 * j + 1]);
        }
      }
    }
  }

 private:
  // To nearest; a NaN stays one. Tensor cores would cut the last bits off.
  static __device__ __forceinline__ uint32_t rounded(float x) {
    uint32_t result = 0;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
#endif
    return result;
  }

  static __device__ __forceinline__ void multiply(const uint32_t (&x)[4], const uint32_t (&y)[2], float& d0, float& d1,
                                                  float& d2, float& d3) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
        "%3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
#else
    __trap();
#endif
  }
};

}  // namespace cuda
}  // namespace sampled_softmax
