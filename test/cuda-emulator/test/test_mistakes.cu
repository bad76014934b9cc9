// Planted mistakes: the emulator has to find each of them under every schedule, though most give right results under
// some.
#include "check.h"
#include "device_array.h"
#include "kernels/fused_loss.cuh"
#include "kernels/log_sum_exp.cuh"
#include "kernels/problems.h"
#include "kernels/products.cuh"
#include "kernels/rows.cuh"

enum class Small {
  None,
  NoSyncwarp,
  OtherCollective,
  OtherBarrier,
  SamePlaceInTwoBlocks,
  NeverWritten,
  ShuffleInsteadOfSyncwarp,
  UninitializedGlobal,
  ReadOnlyUpdate,
  LaneNotInMask,
  Deadlock,
};

// Sums of four neighbours, exchanged through shared memory and by a shuffle.
template <Small kMistake>
__global__ void sum_of_four(const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float s[128];
  const int t = threadIdx.x, lane = t % 32, i = blockIdx.x * blockDim.x + t;
  float v = x[i];
  if (kMistake != Small::NeverWritten || t != 5) s[t] = v;
  if (kMistake == Small::ShuffleInsteadOfSyncwarp) v += 0 * __shfl_xor_sync(~0u, v, 1);
  if (kMistake != Small::NoSyncwarp && kMistake != Small::ShuffleInsteadOfSyncwarp) __syncwarp();
  v += s[t ^ 1];
  if (kMistake != Small::OtherCollective || lane < 16) v += __shfl_xor_sync(~0u, v, 2);
  if (kMistake == Small::OtherCollective && lane >= 16) __syncwarp();
  if (kMistake == Small::OtherBarrier) {
    if (t < 64) __syncthreads();
    if (t >= 64) y[i + 256] = v, __syncthreads();
  }
  if (kMistake == Small::LaneNotInMask) v += __shfl_xor_sync(1, v, 0);
  if (kMistake == Small::Deadlock && t == 0) asm volatile("bar.sync 1, 64;");
  if (kMistake == Small::UninitializedGlobal) v += y[i];
  y[kMistake == Small::SamePlaceInTwoBlocks ? t : i] = v;
}

// In place, through pointers that promise not to meet: the compiler uses the read-only cache.
__global__ void reversed_sum(const float* __restrict__ x, float* __restrict__ y, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] = x[i] * 2;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[i] += x[n - 1 - i];
}

// A read by one block hides behind the read of another: the write has to be checked against both.
__global__ void read_then_write(const volatile float* x, float* y, float* out) {
  out[blockIdx.x] = y[0];
  if (blockIdx.x == 1) y[0] = 1;
}

// All lanes read a word that one of them then overwrites: right behind a shuffle, for which they have done their loads.
__global__ void update_in_place(float* y, bool shuffle) {
  float v = y[0];
  if (shuffle)
    for (int o = 16; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
  if (threadIdx.x == 0) y[0] = v;
}

// Neighbouring halves belong to different blocks; the second block's are one too many.
__global__ void write_halves(uint16_t* y) { y[2 * threadIdx.x + blockIdx.x % 2] = uint16_t(blockIdx.x); }

// Two warps meet at a barrier of their own, and only they are ordered.
__global__ void named_barrier(float* out, bool third_warp_reads) {
  __shared__ float s[96];
  const int t = threadIdx.x, warp = t / 32;
  s[t] = float(t);
  if (warp < 2) {
    asm volatile("bar.sync 1, 64;" ::: "memory");
    out[t] = s[t ^ 32];
  } else {
    out[t] = third_warp_reads ? s[t - 64] : s[t];
  }
}

__global__ void read_byte(const unsigned char* x, int i, unsigned char* out) { out[0] = x[i]; }

template <TileMistake kMistake>
static void run_fused() {
  const LossProblem p(64, 128, 64, 1000);
  DeviceArray<float> inputs(p.inputs), weights(p.weights), log_q(p.log_q), losses(64);
  DeviceArray<int> sampled(p.sampled), labels(p.labels);
  fused_loss<kMistake><<<1, 256>>>(inputs, weights, sampled, labels, log_q, losses, 128, 64);
  cudaDeviceSynchronize();
}

template <PipelineMistake kMistake>
static void run_product() {
  DeviceArray<uint16_t> a(std::vector<uint16_t>(64 * 128, 0x3f80)), b(std::vector<uint16_t>(64 * 128, 0x3f80));
  DeviceArray<float> c(64 * 64);
  product_bf16<kMistake><<<1, 128, 16384>>>(a, b, c, 64, 128);
  cudaDeviceSynchronize();
}

template <Small kMistake>
static cudaError_t run_small() {
  DeviceArray<float> x(std::vector<float>(256, 1)), y(512);
  sum_of_four<kMistake><<<2, 128>>>(x, y);
  return cudaDeviceSynchronize();
}

template <FenceMistake kMistake>
static void run_last_block() {
  DeviceArray<float> x(std::vector<float>(4 * 128, 1)), partial(4), sum(1);
  DeviceArray<unsigned> finished(std::vector<unsigned>(1, 0));
  sum_by_last_block<kMistake><<<4, 128>>>(x, partial, finished, sum);
  cudaDeviceSynchronize();
}

static void fused_and_pipelined() {
  run_fused<TileMistake::NoBarrierAfterStore>();
  CHECK(check::found("race", "fused_loss"));
  run_fused<TileMistake::NoBarrierBeforeNextStore>();
  CHECK(check::found("race", "fused_loss"));
  run_product<PipelineMistake::NoWait>();
  CHECK(check::found("race", "its group has not been waited for"));
  run_product<PipelineMistake::NoBarrierAtEnd>();
  CHECK(check::found("race", "product_bf16"));
}

static void small_ones() {
  CHECK(run_small<Small::None>() == cudaSuccess);
  CHECK(check::nothing_found());
  run_small<Small::NoSyncwarp>();
  CHECK(check::found("race", "sum_of_four"));
  run_small<Small::ShuffleInsteadOfSyncwarp>();
  CHECK(check::found("race", "sum_of_four"));
  run_small<Small::OtherBarrier>();
  CHECK(check::found("synccheck", "different places"));
  run_small<Small::SamePlaceInTwoBlocks>();
  CHECK(check::found("race", "another block"));
  run_small<Small::NeverWritten>();
  CHECK(check::found("initcheck", "shared memory is read before anything wrote it"));
  run_small<Small::UninitializedGlobal>();
  CHECK(check::found("initcheck", "device memory is read before anything wrote it"));
}

static void deadly_ones() {
  CHECK(run_small<Small::OtherCollective>() == cudaErrorLaunchFailure);
  CHECK(check::found("synccheck", "different collectives"));
  cudaDeviceReset();
  CHECK(run_small<Small::LaneNotInMask>() == cudaErrorLaunchFailure);
  CHECK(check::found("fault", "not in its own mask"));
  cudaDeviceReset();
  CHECK(run_small<Small::Deadlock>() == cudaErrorLaunchFailure);
  CHECK(check::found("synccheck", "deadlock"));
  cudaDeviceReset();
}

static void other_ones() {
  {
    DeviceArray<float> x(std::vector<float>(64, 1));
    reversed_sum<<<1, 32>>>(x, x, 64);
    cudaDeviceSynchronize();
    CHECK(check::found("stale", "read-only load"));
  }
  {
    DeviceArray<float> x(std::vector<float>(64, 1)), y(64);
    reversed_sum<<<1, 32>>>(x, y, 64);
    cudaDeviceSynchronize();
    CHECK(check::nothing_found());
  }
  {
    DeviceArray<float> y(std::vector<float>(1, 1)), out(3);
    read_then_write<<<3, 1>>>(nullptr, y, out);
    cudaDeviceSynchronize();
    CHECK(check::found("race", "by another block"));
  }
  {
    DeviceArray<float> y(std::vector<float>(1, 1));
    update_in_place<<<1, 32>>>(y, true);
    cudaDeviceSynchronize();
    CHECK(y.get()[0] == 32);
    CHECK(check::nothing_found());
    update_in_place<<<1, 32>>>(y, false);
    cudaDeviceSynchronize();
    CHECK(check::found("race", "update_in_place"));
  }
  {
    DeviceArray<uint16_t> y(64);
    write_halves<<<2, 32>>>(y);
    cudaDeviceSynchronize();
    CHECK(check::nothing_found());
    write_halves<<<3, 32>>>(y);
    cudaDeviceSynchronize();
    CHECK(check::found("race", "write_halves"));
  }
  {
    DeviceArray<float> out(96);
    named_barrier<<<1, 96>>>(out, false);
    cudaDeviceSynchronize();
    CHECK(check::nothing_found());
    named_barrier<<<1, 96>>>(out, true);
    cudaDeviceSynchronize();
    CHECK(check::found("race", "named_barrier"));
  }
  run_last_block<FenceMistake::NoFenceBefore>();
  CHECK(check::found("race", "another block"));
  run_last_block<FenceMistake::NoFenceAfter>();
  CHECK(check::found("race", "another block"));
}

// What has been written is known to the byte, and copies within the device carry it along.
static void unwritten_bytes() {
  DeviceArray<unsigned char> x(64), y(64), out(1);
  cudaMemset(x + 3, 7, 18);
  cudaMemcpy(y, x, 64, cudaMemcpyDeviceToDevice);
  for (const unsigned char* p : {static_cast<unsigned char*>(x), static_cast<unsigned char*>(y)}) {
    for (const int written : {3, 8, 20}) read_byte<<<1, 1>>>(p, written, out);
    cudaDeviceSynchronize();
    CHECK(out.get()[0] == 7);
    CHECK(check::nothing_found());
    for (const int unwritten : {2, 21, 63}) {
      read_byte<<<1, 1>>>(p, unwritten, out);
      cudaDeviceSynchronize();
      CHECK(check::found("initcheck", "offset " + std::to_string(unwritten) + " of 64 bytes"));
    }
  }
}

static void bad_accesses() {
  {
    DeviceArray<float> x(std::vector<float>(1024, 1)), y(8);
    log_sum_exp<<<1, 256>>>(x, y, 2, 1024);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(check::found("fault", "of 4096 bytes"));
  }
  cudaDeviceReset();
  {
    DeviceArray<float> x(std::vector<float>(16, 1)), y(8);
    log_sum_exp<<<1, 32>>>(x + 1, y, 1, 4);
    CHECK(cudaDeviceSynchronize() == cudaErrorMisalignedAddress);
    CHECK(check::found("fault", "misaligned"));
  }
  cudaDeviceReset();
  {
    DeviceArray<float> y(8);
    float* freed = nullptr;
    cudaMalloc(reinterpret_cast<void**>(&freed), 64);
    cudaFree(freed);
    log_sum_exp<<<1, 32>>>(freed, y, 1, 4);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(check::found("fault", "have been freed"));
  }
  cudaDeviceReset();
  {
    DeviceArray<float> y(8);
    float on_host[4] = {};
    log_sum_exp<<<1, 32>>>(on_host, y, 1, 4);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    CHECK(check::found("fault", "is not device memory"));
  }
  cudaDeviceReset();
}

int main() {
  fused_and_pipelined();
  small_ones();
  deadly_ones();
  other_ones();
  unwritten_bytes();
  bad_accesses();
  return check::summary("kernel mistakes");
}
