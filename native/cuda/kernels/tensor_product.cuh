// A tile of a matrix product on tensor cores, by mma.sync from sm_80 on; elsewhere it must not be launched. Each of the
// four warps has 32 rows and all 64 columns of the tile; sums are in float32.
#pragma once

#include <type_traits>

#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/operand.cuh"

namespace sampled_softmax {
namespace cuda {

// What the shapes m16n8k8 (tf32) and m16n8k16 (16 bits) have in common: where a lane's sums are. PTX ISA, mma: a
// lane's group has a row of a and a column of b, its place in the group two columns of the sum.
template <class Ea, class Eb, Inside inside_a, Inside inside_b>
struct TensorTile : Operands<Ea, Eb, inside_a, inside_b> {
  static constexpr int kInstructionM = 16, kInstructionN = 8;
  static constexpr int kWarpM = 32, kBlocksM = kWarpM / kInstructionM, kBlocksN = Tile<Ea>::kN / kInstructionN;
  static constexpr int kRows = 2 * kBlocksM, kColumns = 2 * kBlocksN;
  static constexpr int kRun = 2;       // columns side by side: n_of(j), n_of(j + 1)
  static constexpr int kRowLanes = 4;  // neighbours in a warp that share their rows

  static __device__ __forceinline__ int lane() { return threadIdx.x % 32; }
  static __device__ __forceinline__ int group() { return lane() / 4; }
  static __device__ __forceinline__ int row_lane() { return lane() % 4; }
  static __device__ __forceinline__ int first_row() { return threadIdx.x / 32 * kWarpM; }
  static __device__ __forceinline__ int m_of(int i) {
    return first_row() + i / 2 * kInstructionM + i % 2 * 8 + group();
  }
  static __device__ __forceinline__ int n_of(int j) { return j / 2 * kInstructionN + 2 * row_lane() + j % 2; }

  float sum[kRows][kColumns] = {};

 protected:
  // multiply(x, y, d0 .. d3) for each of the warp's instructions of 16 x 8 sums.
  template <class Multiply>
  __device__ __forceinline__ void add_blocks(const uint32_t (&x)[kBlocksM][4], const uint32_t (&y)[kBlocksN][2],
                                             Multiply multiply) {
#pragma unroll
    for (int i = 0; i < kBlocksM; ++i) {
#pragma unroll
      for (int j = 0; j < kBlocksN; ++j) {
        multiply(x[i], y[j], sum[2 * i][2 * j], sum[2 * i][2 * j + 1], sum[2 * i + 1][2 * j],
                 sum[2 * i + 1][2 * j + 1]);
      }
    }
  }
};

// The bits of x in tf32, to nearest; a NaN stays one. Tensor cores would cut the last bits off.
static __device__ __forceinline__ uint32_t rounded_to_tf32(float x) {
  uint32_t result = 0;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
#endif
  return result;
}

// Four matrices of 8 rows of 16 bytes, of which each quarter of the warp has one, each lane the address of a row.
static __device__ __forceinline__ void load_matrices(const void* row, uint32_t& r0, uint32_t& r1, uint32_t& r2,
                                                     uint32_t& r3) {
#if __CUDA_ARCH__ >= 800
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)
               : "r"(address)
               : "memory");
#endif
}

// Of floats, rounded to tf32: 11 bits, which hold every float16 as it is. The second operand may be of float16. In
// products of activations, those of a second operand whose k is outside, they are rounded already.
//
// 24 fragments of 32 values for 16 instructions, which a multiprocessor reads in 24 cycles, against 32 cycles of an
// A100's tensor cores and 16 of an H100's, where shared memory is then the bound, at two thirds of what mma.sync could
// do. Where k is inside, one ldmatrix reads four: to it a float is two elements of 16 bits.
template <class Eb, Inside inside_a, Inside inside_b>
struct Tf32Product : TensorTile<float, Eb, inside_a, inside_b> {
  using Base = TensorTile<float, Eb, inside_a, inside_b>;
  using typename Base::A;
  using typename Base::B;
  static constexpr int kInstructionK = 8;
  static constexpr bool kRounded = inside_b == Inside::other;

  __device__ __forceinline__ void add(const float* a, const Eb* b) {
    const int row = Base::lane() % 8, odd = Base::lane() / 8 % 2, upper = Base::lane() / 16;
#pragma unroll
    for (int k0 = 0; k0 < A::kK; k0 += kInstructionK) {
      const int k = k0 + Base::row_lane();
      uint32_t x[Base::kBlocksM][4], y[Base::kBlocksN][2];
#pragma unroll
      for (int i = 0; i < Base::kBlocksM; ++i) {
        const int first = Base::first_row() + i * Base::kInstructionM, m = first + Base::group();
        if constexpr (A::kKInside) {
          load_matrices(a + A::offset(first + odd * 8 + row, k0 + upper * 4), x[i][0], x[i][1], x[i][2], x[i][3]);
        } else {
          x[i][0] = __float_as_uint(a[A::offset(m, k)]);
          x[i][1] = __float_as_uint(a[A::offset(m + 8, k)]);
          x[i][2] = __float_as_uint(a[A::offset(m, k + 4)]);
          x[i][3] = __float_as_uint(a[A::offset(m + 8, k + 4)]);
        }
#pragma unroll
        for (int e = 0; !kRounded && e < 4; ++e) x[i][e] = rounded(__uint_as_float(x[i][e]));
      }
#pragma unroll
      for (int j = 0; j < Base::kBlocksN; j += 2) {
        const int first = j * Base::kInstructionN, n = first + Base::group();
        if constexpr (B::kKInside) {
          load_matrices(b + B::offset(first + upper * 8 + row, k0 + odd * 4), y[j][0], y[j][1], y[j + 1][0],
                        y[j + 1][1]);
#pragma unroll
          for (int e = 0; e < 4; ++e) y[j + e / 2][e % 2] = rounded(__uint_as_float(y[j + e / 2][e % 2]));
        } else {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            y[j + e / 2][e % 2] = rounded(b[B::offset(n + e / 2 * Base::kInstructionN, k + e % 2 * 4)]);
          }
        }
      }
      Base::add_blocks(x, y, multiply);
    }
  }

 private:
  static __device__ __forceinline__ uint32_t rounded(float x) { return rounded_to_tf32(x); }
  static __device__ __forceinline__ uint32_t rounded(Float16 x) { return __float_as_uint(value_of(x)); }

  static __device__ __forceinline__ void multiply(const uint32_t (&x)[4], const uint32_t (&y)[2], float& d0, float& d1,
                                                  float& d2, float& d3) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
        "%3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
#endif
  }
};

// Of bfloat16 or float16 as it is stored, in half the memory and at twice the rate.
//
// Six ldmatrix of 512 bytes for 16 instructions: 24 cycles again, for twice the multiply-adds. An A100's tensor cores
// take 32, an H100's 16.
template <class E, Inside inside_a, Inside inside_b>
struct HalfProduct : TensorTile<E, E, inside_a, inside_b> {
  using Base = TensorTile<E, E, inside_a, inside_b>;
  using typename Base::A;
  using typename Base::B;
  static constexpr int kInstructionK = 16;

  __device__ __forceinline__ void add(const E* a, const E* b) {
    // Of a fragment's four matrices of 8 x 8 elements each quarter of the warp has one, each lane a row of it.
    const int row = Base::lane() % 8, odd = Base::lane() / 8 % 2 * 8, upper = Base::lane() / 16 * 8;
#pragma unroll
    for (int k = 0; k < A::kK; k += kInstructionK) {
      uint32_t x[Base::kBlocksM][4], y[Base::kBlocksN][2];
#pragma unroll
      for (int i = 0; i < Base::kBlocksM; ++i) {
        read<A>(a, Base::first_row() + i * Base::kInstructionM + odd, k + upper, row, x[i][0], x[i][1], x[i][2],
                x[i][3]);
      }
#pragma unroll
      for (int j = 0; j < Base::kBlocksN; j += 2) {
        read<B>(b, j * Base::kInstructionN + upper, k + odd, row, y[j][0], y[j][1], y[j + 1][0], y[j + 1][1]);
      }
      Base::add_blocks(x, y, multiply);
    }
  }

 private:
  // Four matrices: this lane names row `row` of the one that begins at (other, k). Where k is outside, rows of memory
  // are rows of k, and are turned.
  template <class Side>
  static __device__ __forceinline__ void read(const E* shared, int other, int k, int row, uint32_t& r0, uint32_t& r1,
                                              uint32_t& r2, uint32_t& r3) {
#if __CUDA_ARCH__ >= 800
    if constexpr (Side::kKInside) {
      load_matrices(shared + Side::offset(other + row, k), r0, r1, r2, r3);
    } else {
      const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared + Side::offset(other, k + row)));
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(r0), "=r"(r1), "=r"(r2), "=r"(r3)
                   : "r"(address)
                   : "memory");
    }
#endif
  }

  static __device__ __forceinline__ void multiply(const uint32_t (&x)[4], const uint32_t (&y)[2], float& d0, float& d1,
                                                  float& d2, float& d3) {
#if __CUDA_ARCH__ >= 800
    if constexpr (std::is_same_v<E, BFloat16>) {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
          "%2, %3};"
          : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
          : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    } else {
      asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
          "%2, %3};"
          : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
          : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
    }
#endif
  }
};

}  // namespace cuda
}  // namespace sampled_softmax
