// A tile of a matrix product by fused multiply-adds: a register block of kRows x kColumns a thread.
//
// A thread reads 16 bytes at a time without bank conflicts, one read for 16 multiply-adds (float), so that shared
// memory keeps pace: a multiprocessor does 128 multiply-adds a cycle and reads 128 bytes, which serve 32 lanes' 4
// values each.
#pragma once

#include "cuda/kernels/operand.cuh"

namespace sampled_softmax {
namespace cuda {

template <class T, Inside inside_a, Inside inside_b>
struct FmaProduct : Operands<T, T, inside_a, inside_b> {
  using Tl = Tile<T>;
  using typename Operands<T, T, inside_a, inside_b>::A;
  using typename Operands<T, T, inside_a, inside_b>::B;
  static constexpr int kThreadsM = 16, kThreadsN = 8;
  static constexpr int kRows = Tl::kM / kThreadsM, kColumns = Tl::kN / kThreadsN, kVector = Tl::kVector;
  static constexpr int kRun = B::kKInside ? 1 : kVector;  // columns side by side: n_of(j) to n_of(j + kRun - 1)
  static constexpr int kRowLanes = kThreadsN;             // neighbours in a warp that share their rows

  // Which m (or n) element i of a thread is of: neighbours where k is inside, whole vectors where it is outside.
  template <class Side, int threads>
  static __device__ __forceinline__ int element(int thread, int i) {
    return Side::kKInside ? thread + i * threads : (thread + i / kVector * threads) * kVector + i % kVector;
  }
  static __device__ __forceinline__ int m_of(int i) {
    return element<A, kThreadsM>(static_cast<int>(threadIdx.x) / kThreadsN, i);
  }
  static __device__ __forceinline__ int n_of(int j) {
    return element<B, kThreadsN>(static_cast<int>(threadIdx.x) % kThreadsN, j);
  }
  static __device__ __forceinline__ int row_lane() { return static_cast<int>(threadIdx.x) % kThreadsN; }

  T sum[kRows][kColumns] = {};

  __device__ __forceinline__ void add(const T* a, const T* b) {
#pragma unroll
    for (int k = 0; k < Tl::kK; k += kVector) {
      T x[kRows][kVector], y[kColumns][kVector];
      read<A>(
          a, k, [](int i) { return m_of(i); }, x);
      read<B>(
          b, k, [](int j) { return n_of(j); }, y);
#pragma unroll
      for (int kk = 0; kk < kVector; ++kk) {
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
#pragma unroll
          for (int j = 0; j < kColumns; ++j) sum[i][j] = fma(x[i][kk], y[j][kk], sum[i][j]);
        }
      }
    }
  }

 private:
  // This thread's elements of an operand for kVector values of k, from k on: to[element][k].
  template <class Side, class Of, int count>
  static __device__ __forceinline__ void read(const T* shared, int k, Of of, T (&to)[count][kVector]) {
    if constexpr (Side::kKInside) {
#pragma unroll
      for (int i = 0; i < count; ++i) {
        const Vector<T> v = *reinterpret_cast<const Vector<T>*>(shared + Side::offset(of(i), k));
#pragma unroll
        for (int kk = 0; kk < kVector; ++kk) to[i][kk] = v.v[kk];
      }
    } else {
#pragma unroll
      for (int kk = 0; kk < kVector; ++kk) {
#pragma unroll
        for (int i = 0; i < count; i += kVector) {
          const Vector<T> v = *reinterpret_cast<const Vector<T>*>(shared + Side::offset(of(i), k + kk));
#pragma unroll
          for (int e = 0; e < kVector; ++e) to[i + e][kk] = v.v[e];
        }
      }
    }
  }
};

}  // namespace cuda
}  // namespace sampled_softmax
