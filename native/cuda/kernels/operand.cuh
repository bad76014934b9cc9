// Tiles of a matrix product out[m][n] = sum_k a[m][k] * b[n][k] in shared memory, and how they come there.
//
// An operand lies in shared memory as it comes from global memory, so that cp.async can bring it: with k inside
// ([m][kK], rows of a matrix whose k is contiguous) or outside ([kK][m]).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sampled_softmax {
namespace cuda {

// The tile of a block of threads. kK values of k are in shared memory at a time.
template <class T>
struct Tile {
  static constexpr int kVector = 16 / static_cast<int>(sizeof(T));  // elements of one access
  static constexpr int kThreads = 128;
  static constexpr int kM = sizeof(T) == 4 ? 128 : 64, kN = sizeof(T) == 4 ? 64 : 32;
  static constexpr int kK = sizeof(T) == 4 ? 16 : 8;
};

template <class T>
struct alignas(16) Vector {
  T v[Tile<T>::kVector];
};

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
template <class T, Inside inside, int kOther>
struct Operand {
  using Tl = Tile<T>;
  static constexpr int kVector = Tl::kVector, kK = Tl::kK;
  static constexpr bool kKInside = inside == Inside::k;
  // Padding against bank conflicts, of vectors and of tensor-core fragments alike. k inside: rows start 20 banks apart,
  // so that eight of them cover all 32, four banks each. k outside: 8 banks apart, so that four of them do, eight each.
  static constexpr int kStride = kKInside ? kK + kVector : kOther + 2 * kVector;
  static constexpr int kElements = (kKInside ? kOther : kK) * kStride;
  // The tile in vectors, and how many of them each thread brings.
  static constexpr int kInsideVectors = (kKInside ? kK : kOther) / kVector;
  static constexpr int kVectors = kInsideVectors * (kKInside ? kOther : kK);
  static constexpr int kEach = kVectors / Tl::kThreads;
  static_assert(kVectors % Tl::kThreads == 0, "every thread brings as many vectors");

  // Place of this thread's i-th vector in the tile: its index among the others (m or n), and its k.
  static __device__ __forceinline__ int other_of(int i) {
    const int v = static_cast<int>(threadIdx.x) + i * Tl::kThreads;
    return kKInside ? v / kInsideVectors : v % kInsideVectors * kVector;
  }
  static __device__ __forceinline__ int k_of(int i) {
    const int v = static_cast<int>(threadIdx.x) + i * Tl::kThreads;
    return kKInside ? v % kInsideVectors * kVector : v / kInsideVectors;
  }
  static __device__ __forceinline__ int offset(int other, int k) {
    return kKInside ? other * kStride + k : k * kStride + other;
  }
  static __device__ __forceinline__ T* place(T* shared, int i) { return shared + offset(other_of(i), k_of(i)); }
};

// Both operands, in two buffers: while one is multiplied, the other is filled.
template <class T, Inside inside_a, Inside inside_b>
struct Operands {
  using A = Operand<T, inside_a, Tile<T>::kM>;
  using B = Operand<T, inside_b, Tile<T>::kN>;
  struct Shared {
    alignas(16) T a[2][A::kElements];
    alignas(16) T b[2][B::kElements];
  };
};

// Adds the products over k in [begin, end), in ascending order. fetch(k, buffer) starts to bring both operands for kK
// values of k from k on, and store(buffer) puts what it has in registers into shared memory.
template <class T, class Product, class Fetch, class Store>
static __device__ __forceinline__ void add_products(Product& product, typename Product::Shared& shared, int64_t begin,
                                                    int64_t end, Fetch&& fetch, Store&& store) {
  if (begin >= end) return;
  fetch(begin, 0);
  end_of_copies();
  store(0);
  int buffer = 0;
  for (int64_t k = begin; k < end; k += Tile<T>::kK, buffer ^= 1) {
    const bool more = k + Tile<T>::kK < end;
    if (more) fetch(k + Tile<T>::kK, buffer ^ 1);
    end_of_copies();
    wait_for_copies<1>();
    __syncthreads();
    product.add(shared.a[buffer], shared.b[buffer]);
    __syncthreads();
    if (more) store(buffer ^ 1);
  }
}

}  // namespace cuda
}  // namespace sampled_softmax
