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

enum class Inside { k, other };

// 16 bytes from global to shared memory; where not `there`, zeros, and `from` is not read.
static __device__ __forceinline__ void copy_16(void* to, const void* from, bool there) {
#if __CUDA_ARCH__ >= 800
  const uint32_t shared = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(from), "r"(bytes));
#else
  *static_cast<int4*>(to) = there ? *static_cast<const int4*>(from) : make_int4(0, 0, 0, 0);
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
template <class E, Inside inside, int kOther, int depth>
struct Operand {
  using Tl = Tile<E>;
  using Element = E;
  static constexpr int kVector = Tl::kVector, kK = depth;
  static constexpr bool kKInside = inside == Inside::k;
  // Padding against bank conflicts, of vectors and of tensor-core fragments alike. k inside: rows start 20 banks apart,
  // so that eight of them cover all 32, four banks each. k outside: 8 banks apart, so that four of them do, eight each;
  // of 16 bits 4, so that eight do, which ldmatrix reads at once.
  static constexpr int kStride = kKInside ? kK + kVector : kOther + (sizeof(E) == 2 ? 1 : 2) * kVector;
  static constexpr int kElements = (kKInside ? kOther : kK) * kStride;

  // The tile in vectors: how many each thread brings, and the place of its i-th in the tile: its index among the others
  // (m or n), and its k. From one to the next it is kApart others further, or where k is outside kApart of k.
  //
  // Where k is inside, a warp has 64 bytes of each of eight rows, and eight lanes that write together one vector of
  // each row, to all banks. (Neighbours of one row would lie in the same banks as the next row's.)
  static constexpr int kInside = (kKInside ? kK : kOther) / kVector;
  static constexpr int kEach = kInside * (kKInside ? kOther : kK) / Tl::kThreads;
  static constexpr int kApart = Tl::kThreads / kInside;
  static_assert(kEach * Tl::kThreads == kInside * (kKInside ? kOther : kK), "every thread brings as many");
  static_assert(!kKInside || kInside == 4, "64 bytes of k");
  static __device__ __forceinline__ int other_of(int i) {
    const unsigned thread = threadIdx.x;
    return kKInside ? thread / 32 * 8 + thread % 8 + i * kApart : thread % kInside * kVector;
  }
  static __device__ __forceinline__ int k_of(int i) {
    const unsigned thread = threadIdx.x;
    return kKInside ? thread % 32 / 8 * kVector : thread / kInside + i * kApart;
  }
  static __device__ __forceinline__ int offset(int other, int k) {
    return kKInside ? other * kStride + k : k * kStride + other;
  }

  // Starts to bring the thread's vectors, of which the i-th is at from(i), to the tile: those of the first `count`
  // others or, where k is outside, of as many k. Zeros come in place of the rest.
  template <class From>
  static __device__ __forceinline__ void bring(E* to, int count, From&& from) {
    E* place = to + offset(other_of(0), k_of(0));
    const int first = kKInside ? other_of(0) : k_of(0);
#pragma unroll
    for (int i = 0; i < kEach; ++i) copy_16(place + i * kApart * kStride, from(i), first + i * kApart < count);
  }
};

// Both operands, in as many buffers as there are stages: while one is multiplied, the others are filled. The first
// operand decides how much of k that is.
//
// Three: a copy then has two products' time to come, and the barrier before a product serves the buffer that was
// multiplied last as well. Without asynchronous copies (sm_75) two, of which its 64 KB hold two blocks'.
template <class Ea, class Eb, Inside inside_a, Inside inside_b>
struct Operands {
  using A = Operand<Ea, inside_a, Tile<Ea>::kM, Tile<Ea>::kK>;
  using B = Operand<Eb, inside_b, Tile<Ea>::kN, Tile<Ea>::kK>;
#if __CUDA_ARCH__ >= 800
  static constexpr int kStages = 3;
#else
  static constexpr int kStages = 2;
#endif
  struct Shared {
    alignas(16) Ea a[kStages][A::kElements];
    alignas(16) Eb b[kStages][B::kElements];
  };
};

// Adds the products over k in [begin, end), in ascending order. fetch(k, a, b) starts to bring both operands for kK
// values of k from k on, and is called for one k after the other.
template <class Product, class Fetch>
static __device__ __forceinline__ void add_products(Product& product, typename Product::Shared& shared, int64_t begin,
                                                    int64_t end, Fetch&& fetch) {
  constexpr int kK = Product::A::kK, kStages = Product::kStages;
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) {
    const int64_t k = begin + stage * kK;
    if (k < end) fetch(k, shared.a[stage], shared.b[stage]);
    end_of_copies();
  }
  int filled = kStages - 1, buffer = 0;
  for (int64_t k = begin; k < end; k += kK) {
    wait_for_copies<kStages - 2>();
    __syncthreads();
    const int64_t next = k + (kStages - 1) * kK;
    if (next < end) fetch(next, shared.a[filled], shared.b[filled]);
    end_of_copies();
    product.add(shared.a[buffer], shared.b[buffer]);
    filled = buffer;
    buffer = buffer + 1 < kStages ? buffer + 1 : 0;
  }
}

// Adds out[0 .. width) to the thread's part of one row of the tile, which store_row will write there.
template <class Product, class T, int count>
static __device__ __forceinline__ void add_row(T (&values)[count], const T* out, int64_t first, int64_t width,
                                               bool aligned) {
  struct alignas(sizeof(T) * Product::kRun) Run {
    T v[Product::kRun];
  };
#pragma unroll
  for (int j = 0; j < count; j += Product::kRun) {
    const int64_t n = first + Product::n_of(j);
    if (aligned) {
      if (n >= width) continue;
      const Run run = *reinterpret_cast<const Run*>(out + n);
#pragma unroll
      for (int e = 0; e < Product::kRun; ++e) values[j + e] += run.v[e];
    } else {
#pragma unroll
      for (int e = 0; e < Product::kRun; ++e) {
        if (n + e < width) values[j + e] += out[n + e];
      }
    }
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
