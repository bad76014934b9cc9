// Tiles of a matrix product out[m][n] = sum_k a[m][k] * b[n][k] in shared memory, and how they come there.
//
// An operand lies in shared memory as it comes from global memory, so that cp.async can bring it: with k inside
// ([m][kK], rows of a matrix whose k is contiguous) or outside ([kK][m]).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/kernels/kernels.h"

namespace sampled_softmax {
namespace cuda {

// The tile of a block of threads whose operands are of E in shared memory, kK values of k at a time: 64 bytes.
template <class E>
struct Tile {
  static constexpr int kVector = 16 / static_cast<int>(sizeof(E));  // elements of one access
  static constexpr int kThreads = 128;
  static constexpr int kM = sizeof(E) == 8 ? 64 : 128, kN = sizeof(E) == 8 ? 32 : 64;
  static constexpr int kK = 64 / static_cast<int>(sizeof(E));
};

template <class E>
struct alignas(16) Vector {
  E v[Tile<E>::kVector];
};

// Elements side by side, in accesses of 16 bytes.
template <class T, int count>
static __device__ __forceinline__ void load_global(const T* from, T (&to)[count]) {
#pragma unroll
  for (int i = 0; i < count; i += Tile<T>::kVector) {
    const Vector<T> v = *reinterpret_cast<const Vector<T>*>(from + i);
#pragma unroll
    for (int e = 0; e < Tile<T>::kVector; ++e) to[i + e] = v.v[e];
  }
}

// Stores of elements side by side, by one instruction. In assembler: of what nvcc finds on several paths (aligned or
// not, one loss or another) it makes stores of single elements.
static __device__ __forceinline__ void store_global(float* to, const float (&v)[1]) { *to = v[0]; }
static __device__ __forceinline__ void store_global(float* to, const float (&v)[2]) {
  asm volatile("st.global.v2.f32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "f"(v[0]), "f"(v[1]) : "memory");
}
static __device__ __forceinline__ void store_global(float* to, const float (&v)[4]) {
  asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)), "f"(v[0]), "f"(v[1]),
               "f"(v[2]), "f"(v[3])
               : "memory");
}
static __device__ __forceinline__ void store_global(double* to, const double (&v)[1]) { *to = v[0]; }
static __device__ __forceinline__ void store_global(double* to, const double (&v)[2]) {
  asm volatile("st.global.v2.f64 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)), "d"(v[0]), "d"(v[1]) : "memory");
}
static __device__ __forceinline__ void store_shared(float* to, const float (&v)[4]) {
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(shared), "f"(v[0]), "f"(v[1]), "f"(v[2]), "f"(v[3])
               : "memory");
}
static __device__ __forceinline__ void store_shared(double* to, const double (&v)[2]) {
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("st.shared.v2.f64 [%0], {%1, %2};" ::"r"(shared), "d"(v[0]), "d"(v[1]) : "memory");
}

// Rounded to nearest; a NaN stays one.
static __device__ __forceinline__ void store_shared(BFloat16* to, const float (&v)[8]) {
#if __CUDA_ARCH__ >= 800
  uint32_t pairs[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pairs[i]) : "f"(v[2 * i + 1]), "f"(v[2 * i]));
  }
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(shared), "r"(pairs[0]), "r"(pairs[1]), "r"(pairs[2]),
               "r"(pairs[3])
               : "memory");
#endif
}

enum class Inside { k, other };

// 16 bytes from global to shared memory; zeros where `from` is null (`any` is then a place that can be read).
static __device__ __forceinline__ void copy_16(void* to, const void* from, const void* any) {
#if __CUDA_ARCH__ >= 800
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = from ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from ? from : any), "r"(bytes));
#else
  *static_cast<int4*>(to) = from ? *static_cast<const int4*>(from) : make_int4(0, 0, 0, 0);
  (void)any;
#endif
}
static __device__ __forceinline__ void end_of_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;");
#endif
}
// All but the last `leave` groups of this thread have arrived; those of others need a barrier besides.
template <int leave>
static __device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(leave) : "memory");
#endif
}

// One operand: `kOther` values of m (or n), each with kK of k.
template <class E, Inside inside, int kOther>
struct Operand {
  using Tl = Tile<E>;
  static constexpr int kVector = Tl::kVector, kK = Tl::kK;
  static constexpr bool kKInside = inside == Inside::k;
  // Padding against bank conflicts, of vectors and of tensor-core fragments alike. k inside: rows start 20 banks apart,
  // so that eight of them cover all 32, four banks each. k outside: 8 banks apart, so that four of them do, eight each;
  // of bfloat16 4, so that eight do, which ldmatrix reads at once.
  static constexpr int kStride = kKInside ? kK + kVector : kOther + (sizeof(E) == 2 ? 1 : 2) * kVector;
  static constexpr int kElements = (kKInside ? kOther : kK) * kStride;
  // The tile in vectors, and how many of them each thread brings.
  static constexpr int kInsideVectors = (kKInside ? kK : kOther) / kVector;
  static constexpr int kVectors = kInsideVectors * (kKInside ? kOther : kK);
  static constexpr int kEach = kVectors / Tl::kThreads;
  static_assert(kVectors % Tl::kThreads == 0, "every thread brings as many vectors");

  // Place of this thread's i-th vector in the tile: its index among the others (m or n), and its k. Where k is inside,
  // a warp has eight rows of four vectors, eight lanes that write together one vector of each row: of one row they
  // would have neighbours, which lie in the same banks as the next row's.
  static constexpr int kWarp = 32, kWarpRows = 8;
  static_assert(!kKInside || kInsideVectors * kWarpRows == kWarp, "a warp has whole rows");
  static __device__ __forceinline__ int other_of(int i) {
    const int v = static_cast<int>(threadIdx.x) + i * Tl::kThreads;
    return kKInside ? v / kWarp * kWarpRows + v % kWarpRows : v % kInsideVectors * kVector;
  }
  static __device__ __forceinline__ int k_of(int i) {
    const int v = static_cast<int>(threadIdx.x) + i * Tl::kThreads;
    return kKInside ? v % kWarp / kWarpRows * kVector : v / kInsideVectors;
  }
  static __device__ __forceinline__ int offset(int other, int k) {
    return kKInside ? other * kStride + k : k * kStride + other;
  }
  static __device__ __forceinline__ E* place(E* shared, int i) { return shared + offset(other_of(i), k_of(i)); }
};

// Both operands, in two buffers: while one is multiplied, the other is filled.
template <class E, Inside inside_a, Inside inside_b>
struct Operands {
  using A = Operand<E, inside_a, Tile<E>::kM>;
  using B = Operand<E, inside_b, Tile<E>::kN>;
  struct Shared {
    alignas(16) E a[2][A::kElements];
    alignas(16) E b[2][B::kElements];
  };
};

// Adds the products over k in [begin, end), in ascending order. fetch(k, buffer) starts to bring both operands for kK
// values of k from k on, and store(buffer) puts what it has in registers into shared memory.
template <class Product, class Fetch, class Store>
static __device__ __forceinline__ void add_products(Product& product, typename Product::Shared& shared, int64_t begin,
                                                    int64_t end, Fetch&& fetch, Store&& store) {
  constexpr int kK = Product::A::kK;
  if (begin >= end) return;
  fetch(begin, 0);
  end_of_copies();
  store(0);
  int buffer = 0;
  for (int64_t k = begin; k < end; k += kK, buffer ^= 1) {
    const bool more = k + kK < end;
    if (more) fetch(k + kK, buffer ^ 1);
    end_of_copies();
    wait_for_copies<1>();
    __syncthreads();
    product.add(shared.a[buffer], shared.b[buffer]);
    __syncthreads();
    if (more) store(buffer ^ 1);
  }
}

// Writes the thread's part of one row of the tile to out[0 .. width), whose column n is n_of(j) + `first`: whole runs
// at once where `aligned` says that they are whole vectors of memory.
template <class Product, class T, int count>
static __device__ __forceinline__ void store_row(const T (&values)[count], T* out, int64_t first, int64_t width,
                                                 bool aligned) {
#pragma unroll
  for (int j = 0; j < count; j += Product::kRun) {
    const int64_t n = first + Product::n_of(j);
    T run[Product::kRun];
#pragma unroll
    for (int e = 0; e < Product::kRun; ++e) run[e] = values[j + e];
    if (aligned) {
      if (n < width) store_global(out + n, run);
    } else {
#pragma unroll
      for (int e = 0; e < Product::kRun; ++e) {
        if (n + e < width) out[n + e] = run[e];
      }
    }
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
