// How the threads of a table kernel share out rows: a group of 1 to 32 lanes has a row, so that short rows leave no
// lane idle and long ones are read in whole sectors; each lane moves 16 bytes of the wider dtype at a time.
#pragma once

#include <cstring>

#include "core/elements.h"
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/tables.h"

namespace sampled_softmax {
namespace cuda {

// At least 32 warps of a multiprocessor wait for memory, on an A100 or H100 as on an L4 or RTX 4090, with up to 64
// registers a thread and no shared memory; kernels of 40 have 48. To reach for more threads, ptxas spills.
constexpr int kRowThreads = 256, kRowBlocks = 4;

struct RowGrid {
  int lanes_log2;
  int64_t blocks;
};

// For `count` rows of `chunks` pieces each.
static inline RowGrid row_grid(int64_t count, int64_t chunks) {
  RowGrid grid{0, 0};
  while (grid.lanes_log2 < 5 && (int64_t{1} << grid.lanes_log2) < chunks) ++grid.lanes_log2;
  const int64_t blocks = blocks_of(count, kRowThreads >> grid.lanes_log2);
  grid.blocks = blocks < INT32_MAX ? blocks : INT32_MAX;  // the kernels go round
  return grid;
}

// The first row of this thread, how far it is to its next, and its place in the row.
static __device__ __forceinline__ int64_t first_row(int lanes_log2) {
  return int64_t{blockIdx.x} * (kRowThreads >> lanes_log2) + (threadIdx.x >> lanes_log2);
}
static __device__ __forceinline__ int64_t row_stride(int lanes_log2) {
  return int64_t{gridDim.x} * (kRowThreads >> lanes_log2);
}
static __device__ __forceinline__ int64_t lane_of_row(int lanes_log2) { return threadIdx.x & ((1u << lanes_log2) - 1); }

// N elements that are read or written at once.
template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Chunk {
  T at[N];
};

template <int N, class T>
static __device__ __forceinline__ Chunk<T, N> load_chunk(const T* from) {
  return *reinterpret_cast<const Chunk<T, N>*>(from);
}
// By one instruction. In assembler: where a part of the elements may be padding, nvcc makes stores of single elements.
template <int N, class T>
static __device__ __forceinline__ void store_chunk(T* to, const Chunk<T, N>& chunk) {
  const size_t at = __cvta_generic_to_global(to);
  if constexpr (sizeof(chunk) == 16) {
    uint4 v;
    std::memcpy(&v, &chunk, sizeof v);
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
  } else if constexpr (sizeof(chunk) == 8) {
    uint2 v;
    std::memcpy(&v, &chunk, sizeof v);
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(at), "r"(v.x), "r"(v.y) : "memory");
  } else {
    static_assert(sizeof(chunk) == 4);
    uint32_t v;
    std::memcpy(&v, &chunk, sizeof v);
    asm volatile("st.global.b32 [%0], %1;" ::"l"(at), "r"(v) : "memory");
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
