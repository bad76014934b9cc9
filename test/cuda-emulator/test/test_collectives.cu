// Shuffles, votes, matches and reductions, for whole and partial warps, against plain loops.
#include <cstdint>

#include "check.h"
#include "device_array.h"

struct Answer {
  uint32_t value, flag;
};

// ---- shuffles: every kind, distance and segment width, with the predicate that says whether the lane was in range

#define SHUFFLE(kind)                                                                                         \
  asm volatile("{ .reg .pred p; shfl.sync." kind ".b32 %0|p, %2, %3, %4, 0xffffffff; selp.u32 %1, 1, 0, p; }" \
               : "=r"(a.value), "=r"(a.flag)                                                                  \
               : "r"(value), "r"(b), "r"(c))

__global__ void shuffles(int kind, uint32_t b, uint32_t c, Answer* out) {
  const uint32_t value = 100 + threadIdx.x;
  Answer a;
  if (kind == 0) SHUFFLE("idx");
  if (kind == 1) SHUFFLE("up");
  if (kind == 2) SHUFFLE("down");
  if (kind == 3) SHUFFLE("bfly");
  out[threadIdx.x] = a;
}

// By the meaning of CUDA's functions: lanes form segments of `width`; whoever would leave its segment keeps its own
// value.
static Answer expected_shuffle(int kind, int lane, int b, int width) {
  const int first = lane / width * width, last = first + width - 1;
  int from = lane;
  if (kind == 0) from = first + b % width;
  if (kind == 1) from = lane - b >= first ? lane - b : -1;
  if (kind == 2) from = lane + b <= last ? lane + b : -1;
  if (kind == 3) from = (lane ^ b) <= last ? lane ^ b : -1;
  return {uint32_t(100 + (from < 0 ? lane : from)), uint32_t(from >= 0)};
}

static void test_shuffles() {
  bool right = true;
  DeviceArray<Answer> out(32);
  for (int kind = 0; kind < 4; ++kind)
    for (int b : {0, 1, 2, 7, 15, 16, 31})
      for (int width : {32, 16, 8, 2, 1}) {
        shuffles<<<1, 32>>>(kind, b, uint32_t(32 - width) << 8 | (kind == 1 ? 0 : 31), out);
        const std::vector<Answer> got = out.get();
        for (int lane = 0; lane < 32; ++lane) {
          const Answer want = expected_shuffle(kind, lane, b, width);
          if (got[lane].value == want.value && got[lane].flag == want.flag) continue;
          if (right)
            std::printf("kind %d b %d width %d lane %d: %u %u\n", kind, b, width, lane, got[lane].value,
                        got[lane].flag);
          right = false;
        }
      }
  CHECK(right);
}

// ---- the rest

__global__ void votes(uint32_t mask, uint32_t yes, uint32_t* out) {
  const uint32_t lane = threadIdx.x;
  if (!(mask >> lane & 1)) return;
  const bool p = yes >> lane & 1;
  uint32_t uniform;
  asm volatile("{ .reg .pred p, q; setp.ne.u32 p, %1, 0; vote.sync.uni.pred q, p, %2; selp.u32 %0, 1, 0, q; }"
               : "=r"(uniform)
               : "r"(uint32_t(p)), "r"(mask));
  out[lane * 4] = __ballot_sync(mask, p);
  out[lane * 4 + 1] = __any_sync(mask, p) != 0;
  out[lane * 4 + 2] = __all_sync(mask, p) != 0;
  out[lane * 4 + 3] = uniform;
}

static void test_votes() {
  bool right = true;
  for (uint32_t mask : {~0u, 0x0000ffffu, 0xaaaaaaaau, 1u, 0x80000000u})
    for (uint32_t yes : {0u, ~0u, 0x5555aaaau, 0x00010000u, 1u}) {
      DeviceArray<uint32_t> out(128);
      votes<<<1, 32>>>(mask, yes, out);
      cudaDeviceSynchronize();
      std::vector<uint32_t> got(4);
      const uint32_t want[] = {yes & mask, (yes & mask) != 0, (yes & mask) == mask,
                               (yes & mask) == mask || !(yes & mask)};
      for (uint32_t lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        cudaMemcpy(got.data(), out + lane * 4, 16, cudaMemcpyDeviceToHost);
        right &= std::equal(got.begin(), got.end(), want);
      }
    }
  CHECK(right);
}

__global__ void matches(uint32_t mask, uint32_t modulo, uint32_t* out) {
  const uint32_t lane = threadIdx.x;
  int all = 0;
  if (!(mask >> lane & 1)) return;
  out[lane * 4] = __match_any_sync(mask, lane % modulo);
  out[lane * 4 + 1] = __match_any_sync(mask, uint64_t(lane % modulo) << 32);
  out[lane * 4 + 2] = __match_all_sync(mask, lane % modulo, &all);
  out[lane * 4 + 3] = uint32_t(all);
}

static void test_matches() {
  bool right = true;
  for (uint32_t mask : {~0u, 0x00ff00ffu, 0x10u})
    for (uint32_t modulo : {1u, 3u, 16u, 64u}) {
      DeviceArray<uint32_t> out(std::vector<uint32_t>(128, 0));
      matches<<<1, 32>>>(mask, modulo, out);
      const std::vector<uint32_t> got = out.get();
      for (uint32_t lane = 0; lane < 32; ++lane) {
        if (!(mask >> lane & 1)) continue;
        uint32_t same = 0;
        for (uint32_t j = 0; j < 32; ++j) same |= uint32_t((mask >> j & 1) && j % modulo == lane % modulo) << j;
        const bool all = same == mask;
        right &= got[lane * 4] == same && got[lane * 4 + 1] == same && got[lane * 4 + 2] == (all ? mask : 0) &&
                 got[lane * 4 + 3] == all;
      }
    }
  CHECK(right);
}

__global__ void reductions(uint32_t mask, uint32_t* out) {
  const uint32_t lane = threadIdx.x, u = lane * 0x11111111u;
  if (!(mask >> lane & 1)) return;
  const uint32_t results[] = {__reduce_add_sync(mask, u),
                              __reduce_min_sync(mask, u),
                              __reduce_max_sync(mask, u),
                              uint32_t(__reduce_min_sync(mask, int(u))),
                              uint32_t(__reduce_max_sync(mask, int(u))),
                              __reduce_and_sync(mask, u | 0xf0),
                              __reduce_or_sync(mask, u),
                              __reduce_xor_sync(mask, u)};
  for (int i = 0; i < 8; ++i) out[lane * 8 + i] = results[i];
}

static void test_reductions() {
  bool right = true;
  for (uint32_t mask : {~0u, 0x0000ff00u, 0x40000000u}) {
    uint32_t want[8] = {0, ~0u, 0, 0x7fffffff, 0x80000000, ~0u, 0, 0};
    for (uint32_t lane = 0; lane < 32; ++lane) {
      if (!(mask >> lane & 1)) continue;
      const uint32_t u = lane * 0x11111111u;
      want[0] += u;
      want[1] = std::min(want[1], u);
      want[2] = std::max(want[2], u);
      want[3] = uint32_t(std::min(int(want[3]), int(u)));
      want[4] = uint32_t(std::max(int(want[4]), int(u)));
      want[5] &= u | 0xf0;
      want[6] |= u;
      want[7] ^= u;
    }
    DeviceArray<uint32_t> out(std::vector<uint32_t>(256, 0));
    reductions<<<1, 32>>>(mask, out);
    const std::vector<uint32_t> got = out.get();
    for (uint32_t lane = 0; lane < 32; ++lane)
      if (mask >> lane & 1) right &= std::equal(want, want + 8, &got[lane * 8]);
  }
  CHECK(right);
}

// Two halves of a warp at collectives of their own, and reductions over a whole block.
__global__ void halves(uint32_t* out) {
  const uint32_t lane = threadIdx.x % 32;
  uint32_t v = lane;
  if (lane < 16)
    for (int o = 8; o; o /= 2) v += __shfl_xor_sync(0x0000ffff, v, o);
  else
    for (int o = 1; o < 16; o *= 2) v += __shfl_xor_sync(0xffff0000, v, o);
  out[threadIdx.x] = v;
}
__global__ void block_reductions(uint32_t* out) {
  const bool even = threadIdx.x % 2 == 0;
  out[threadIdx.x * 3] = __syncthreads_count(even);
  out[threadIdx.x * 3 + 1] = __syncthreads_and(threadIdx.x < 96) != 0;
  out[threadIdx.x * 3 + 2] = __syncthreads_or(threadIdx.x == 95) != 0;
}

static void test_halves_and_blocks() {
  DeviceArray<uint32_t> out(96), three(288);
  halves<<<1, 96>>>(out);
  const std::vector<uint32_t> got = out.get();
  bool right = true;
  for (int i = 0; i < 96; ++i) right &= got[i] == (i % 32 < 16 ? 120 : 376);
  CHECK(right);
  block_reductions<<<1, 96>>>(three);
  const std::vector<uint32_t> reduced = three.get();
  right = true;
  for (int i = 0; i < 96; ++i) right &= reduced[i * 3] == 48 && reduced[i * 3 + 1] == 1 && reduced[i * 3 + 2] == 1;
  CHECK(right);
}

// A thread spins until another one of its block has written.
__global__ void wait_for_neighbour(volatile int* flag, int* out) {
  if (threadIdx.x == 0)
    while (!*flag) {
    }
  if (threadIdx.x == 33) *flag = 1;
  out[threadIdx.x] = *flag;
}

static void test_spinning() {
  DeviceArray<int> flag(std::vector<int>(1, 0)), out(64);
  wait_for_neighbour<<<1, 64>>>(flag, out);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  CHECK(out.get()[0] == 1);
}

int main() {
  test_shuffles();
  test_votes();
  test_matches();
  test_reductions();
  test_halves_and_blocks();
  CHECK(check::nothing_found());
  test_spinning();
  return check::summary("collectives");
}
