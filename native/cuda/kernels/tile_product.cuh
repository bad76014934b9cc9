// A block's share of a matrix product out[m][n] = sum_k a[m][k] * b[n][k]: a tile of kM x kN, a register block of
// kPerThread x kPerThread a thread, operands in shared memory, kK at a time in two buffers.
//
// An operand lies in shared memory as it comes from global memory, so that cp.async can bring it: with k inside
// ([m][kK], rows of a matrix whose k is contiguous) or outside ([kK][m]). Either way a thread reads 16 bytes at a time
// without bank conflicts, one read for kPerThread * kPerThread * kVector / (2 * kPerThread) = 16 multiply-adds (float).
//
// Every sum runs over k in ascending order: results depend on the problem alone.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace sampled_softmax {
namespace cuda {

template <class T>
struct Tile {
  static constexpr int kVector = 16 / static_cast<int>(sizeof(T));  // elements of one access
  static constexpr int kThreads = 128, kThreadsM = 16, kThreadsN = 8;
  static constexpr int kPerThread = sizeof(T) == 4 ? 8 : 4;
  static constexpr int kM = kThreadsM * kPerThread, kN = kThreadsN * kPerThread;
  static constexpr int kK = sizeof(T) == 4 ? 16 : 8;
};

enum class Inside { k, other };

// 16 bytes from global to shared memory; zeros where `from` is null. Done when wait_for_copies returns.
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
// All but the last `leave` groups have arrived, as this thread sees it; the others need a barrier.
template <int leave>
static __device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(leave) : "memory");
#endif
}

template <class T>
struct alignas(16) Vector {
  T v[Tile<T>::kVector];
};

// One operand of the product: `kOther` rows of the tile, threads kThreadsOther apart.
template <class T, Inside inside, int kOther, int kThreadsOther>
struct Operand {
  using Tl = Tile<T>;
  static constexpr int kVector = Tl::kVector, kK = Tl::kK;
  static constexpr bool kKInside = inside == Inside::k;
  // One vector of padding: eight rows, read by the eight lanes of one phase, then start in eight different banks.
  static constexpr int kStride = (kKInside ? kK : kOther) + kVector;
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
  static __device__ __forceinline__ T* place(T* shared, int i) {
    return shared + (kKInside ? other_of(i) * kStride + k_of(i) : k_of(i) * kStride + other_of(i));
  }

  // Which m (or n) the thread's element i is of.
  static __device__ __forceinline__ int element(int thread, int i) {
    return kKInside ? thread + i * kThreadsOther
                    : thread * kVector + i % kVector + i / kVector * (kThreadsOther * kVector);
  }
  // The thread's elements for kVector values of k, from k on: to[element][k].
  static __device__ __forceinline__ void read(const T* shared, int thread, int k, T (&to)[Tl::kPerThread][kVector]) {
    if constexpr (kKInside) {
#pragma unroll
      for (int i = 0; i < Tl::kPerThread; ++i) {
        const Vector<T> v = *reinterpret_cast<const Vector<T>*>(shared + element(thread, i) * kStride + k);
#pragma unroll
        for (int j = 0; j < kVector; ++j) to[i][j] = v.v[j];
      }
    } else {
#pragma unroll
      for (int j = 0; j < kVector; ++j) {
#pragma unroll
        for (int i = 0; i < Tl::kPerThread; i += kVector) {
          const Vector<T> v = *reinterpret_cast<const Vector<T>*>(shared + (k + j) * kStride + element(thread, i));
#pragma unroll
          for (int e = 0; e < kVector; ++e) to[i + e][j] = v.v[e];
        }
      }
    }
  }
};

template <class T, Inside inside_a, Inside inside_b>
struct TileProduct {
  using Tl = Tile<T>;
  using A = Operand<T, inside_a, Tl::kM, Tl::kThreadsM>;
  using B = Operand<T, inside_b, Tl::kN, Tl::kThreadsN>;

  struct Shared {
    alignas(16) T a[2][A::kElements];
    alignas(16) T b[2][B::kElements];
  };

  static __device__ __forceinline__ int thread_m() { return static_cast<int>(threadIdx.x) / Tl::kThreadsN; }
  static __device__ __forceinline__ int thread_n() { return static_cast<int>(threadIdx.x) % Tl::kThreadsN; }
  static __device__ __forceinline__ int m_of(int i) { return A::element(thread_m(), i); }
  static __device__ __forceinline__ int n_of(int j) { return B::element(thread_n(), j); }

  T sum[Tl::kPerThread][Tl::kPerThread] = {};

  __device__ __forceinline__ void add(const T* a, const T* b) {
#pragma unroll
    for (int k = 0; k < Tl::kK; k += Tl::kVector) {
      T x[Tl::kPerThread][Tl::kVector], y[Tl::kPerThread][Tl::kVector];
      A::read(a, thread_m(), k, x);
      B::read(b, thread_n(), k, y);
#pragma unroll
      for (int kk = 0; kk < Tl::kVector; ++kk) {
#pragma unroll
        for (int i = 0; i < Tl::kPerThread; ++i) {
#pragma unroll
          for (int j = 0; j < Tl::kPerThread; ++j) sum[i][j] = fma(x[i][kk], y[j][kk], sum[i][j]);
        }
      }
    }
  }

  // Sums over k in [begin, end). fetch(k, buffer) starts to bring both operands for kK values of k from k on, and
  // store(buffer) puts what it has in registers into shared memory.
  template <class Fetch, class Store>
  __device__ __forceinline__ void run(Shared& shared, int64_t begin, int64_t end, Fetch&& fetch, Store&& store) {
    if (begin >= end) return;
    fetch(begin, 0);
    end_of_copies();
    store(0);
    int buffer = 0;
    for (int64_t k = begin; k < end; k += Tl::kK, buffer ^= 1) {
      const bool more = k + Tl::kK < end;
      if (more) fetch(k + Tl::kK, buffer ^ 1);
      end_of_copies();
      wait_for_copies<1>();
      __syncthreads();
      add(shared.a[buffer], shared.b[buffer]);
      __syncthreads();
      if (more) store(buffer ^ 1);
    }
  }
};

}  // namespace cuda
}  // namespace sampled_softmax
