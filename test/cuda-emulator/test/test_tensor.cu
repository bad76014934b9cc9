// mma, ldmatrix and cp.async against plain products and copies, element by element.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

#include "check.h"
#include "device_array.h"
#include "kernels/ptx.cuh"

// ---- mma: small integers, so that every sum is exact. A lane's registers are filled by the layouts of the PTX ISA,
// written out here once more from its figures: row and column of A's and B's i-th element in lane 4 g + q.

enum class Shape { M16N8K4Tf32, M16N8K8Tf32, M16N8K8Bf16, M16N8K16Bf16, M16N8K8F16, M16N8K16F16 };

__global__ void multiply(Shape shape, const uint32_t* a_registers, const uint32_t* b_registers, float* c) {
  const int lane = threadIdx.x;
  const uint32_t *a = a_registers + lane * 4, *b = b_registers + lane * 2;
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = c[lane * 4 + i];
#define MMA(text, ...) \
  asm volatile("mma.sync.aligned." text : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : __VA_ARGS__)
#define FOUR "{%0,%1,%2,%3}"
  switch (shape) {
    case Shape::M16N8K4Tf32:
      MMA("m16n8k4.row.col.f32.tf32.tf32.f32 " FOUR ", {%4,%5}, {%6}, " FOUR ";", "r"(a[0]), "r"(a[1]), "r"(b[0]));
      break;
    case Shape::M16N8K8Tf32:
      MMA("m16n8k8.row.col.f32.tf32.tf32.f32 " FOUR ", {%4,%5,%6,%7}, {%8,%9}, " FOUR ";", "r"(a[0]), "r"(a[1]),
          "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
      break;
    case Shape::M16N8K8Bf16:
      MMA("m16n8k8.row.col.f32.bf16.bf16.f32 " FOUR ", {%4,%5}, {%6}, " FOUR ";", "r"(a[0]), "r"(a[1]), "r"(b[0]));
      break;
    case Shape::M16N8K16Bf16:
      MMA("m16n8k16.row.col.f32.bf16.bf16.f32 " FOUR ", {%4,%5,%6,%7}, {%8,%9}, " FOUR ";", "r"(a[0]), "r"(a[1]),
          "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
      break;
    case Shape::M16N8K8F16:
      MMA("m16n8k8.row.col.f32.f16.f16.f32 " FOUR ", {%4,%5}, {%6}, " FOUR ";", "r"(a[0]), "r"(a[1]), "r"(b[0]));
      break;
    case Shape::M16N8K16F16:
      MMA("m16n8k16.row.col.f32.f16.f16.f32 " FOUR ", {%4,%5,%6,%7}, {%8,%9}, " FOUR ";", "r"(a[0]), "r"(a[1]),
          "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
      break;
  }
  for (int i = 0; i < 4; ++i) c[lane * 4 + i] = d[i];
}

struct Place {
  int row, column;
};
static Place place_in_a(bool tf32, int lane, int i) {
  const int g = lane / 4, q = lane % 4;
  if (tf32) return {g + i % 2 * 8, q + i / 2 * 4};
  return {g + i / 2 % 2 * 8, q * 2 + i % 2 + i / 4 * 8};
}
static Place place_in_b(bool tf32, int lane, int i) {
  const int g = lane / 4, q = lane % 4;
  return tf32 ? Place{q + i * 4, g} : Place{q * 2 + i % 2 + i / 2 * 8, g};
}

static uint32_t element_bits(Shape shape, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (shape <= Shape::M16N8K8Tf32) return bits | 0x1fff;  // the low 13 bits count for nothing
  return shape <= Shape::M16N8K16Bf16 ? bits >> 16 : __half_as_ushort(__float2half(x));
}

static void test_mma(Shape shape, int depth) {
  const bool tf32 = shape <= Shape::M16N8K8Tf32;
  float a[16][16], b[16][8], want[16][8];
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < depth; ++k) a[i][k] = float((i * 7 + k * 5) % 13 - 6);
  for (int k = 0; k < depth; ++k)
    for (int j = 0; j < 8; ++j) b[k][j] = float((k * 3 + j * 11) % 17 - 8);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      want[i][j] = float(i - j);
      for (int k = 0; k < depth; ++k) want[i][j] += a[i][k] * b[k][j];
    }
  std::vector<uint32_t> ra(128, 0), rb(64, 0);
  std::vector<float> c(128);
  const int a_elements = 16 * depth / 32, b_elements = 8 * depth / 32, per = tf32 ? 1 : 2;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < a_elements; ++i) {
      const Place p = place_in_a(tf32, lane, i);
      ra[lane * 4 + i / per] |= element_bits(shape, a[p.row][p.column]) << i % per * 16;
    }
    for (int i = 0; i < b_elements; ++i) {
      const Place p = place_in_b(tf32, lane, i);
      rb[lane * 2 + i / per] |= element_bits(shape, b[p.row][p.column]) << i % per * 16;
    }
    for (int i = 0; i < 4; ++i) c[lane * 4 + i] = float(lane / 4 + i / 2 * 8 - (lane % 4 * 2 + i % 2));
  }
  DeviceArray<uint32_t> da(ra), db(rb);
  DeviceArray<float> dc(c);
  multiply<<<1, 32>>>(shape, da, db, dc);
  const std::vector<float> got = dc.get();
  bool right = true;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) right &= got[lane * 4 + i] == want[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  CHECK(right);
}

// Tensor cores cut sums off toward zero: 1 + 2^-24 + 2^-24 stays 1 + 2^-23 only if it is summed exactly first.
static void test_mma_rounding() {
  std::vector<uint32_t> a(128, 0), b(64, 0);
  std::vector<float> c(128, 1);
  const float half_unit = 0x1p-24f, one = 1;
  std::memcpy(&a[0], &half_unit, 4);  // A[0][0] and, two registers on, A[0][4]
  std::memcpy(&a[2], &half_unit, 4);
  std::memcpy(&b[0], &one, 4);  // B[0][0], B[4][0]
  std::memcpy(&b[1], &one, 4);
  std::memcpy(&b[8], &one, 4);  // B[0][1] only
  DeviceArray<uint32_t> da(a), db(b);
  DeviceArray<float> dc(c);
  multiply<<<1, 32>>>(Shape::M16N8K8Tf32, da, db, dc);
  const std::vector<float> got = dc.get();
  CHECK(got[0] == 1 + 0x1p-23f);  // C[0][0]
  CHECK(got[1] == 1);             // C[0][1]: 1 + 2^-24 is cut off
  CHECK(got[2] == 1);
}

// ---- ldmatrix

template <int kCount, bool kTransposed>
__global__ void load_matrices(uint32_t* out) {
  __shared__ __align__(16) uint16_t rows[32][24];  // 48 bytes apart, so that a wrong stride shows
  const int lane = threadIdx.x;
  for (int j = 0; j < 8; ++j) rows[lane][j] = uint16_t(lane * 8 + j);
  __syncwarp();
  uint32_t r[4] = {~0u, ~0u, ~0u, ~0u};
  const uint32_t at = shared_offset(&rows[lane % (8 * kCount)][0]);
#define LOAD(text, ...) asm volatile("ldmatrix.sync.aligned.m8n8." text:__VA_ARGS__ : "r"(at))
  if (kCount == 1 && !kTransposed) LOAD("x1.shared.b16 {%0}, [%1];", "=r"(r[0]));
  if (kCount == 2 && !kTransposed) LOAD("x2.shared.b16 {%0,%1}, [%2];", "=r"(r[0]), "=r"(r[1]));
  if (kCount == 4 && !kTransposed)
    LOAD("x4.shared.b16 {%0,%1,%2,%3}, [%4];", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]));
  if (kCount == 1 && kTransposed) LOAD("x1.trans.shared.b16 {%0}, [%1];", "=r"(r[0]));
  if (kCount == 2 && kTransposed) LOAD("x2.trans.shared.b16 {%0,%1}, [%2];", "=r"(r[0]), "=r"(r[1]));
  if (kCount == 4 && kTransposed)
    LOAD("x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]));
  for (int i = 0; i < 4; ++i) out[lane * 4 + i] = r[i];
}

template <int kCount, bool kTransposed>
static void test_ldmatrix() {
  DeviceArray<uint32_t> out(128);
  load_matrices<kCount, kTransposed><<<1, 32>>>(out);
  const std::vector<uint32_t> got = out.get();
  bool right = true;
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const auto element = [&](int row, int column) {
        return uint32_t(kTransposed ? (i * 8 + column) * 8 + row : (i * 8 + row) * 8 + column);
      };
      const uint32_t want =
          i < kCount ? element(lane / 4, lane % 4 * 2) | element(lane / 4, lane % 4 * 2 + 1) << 16 : ~0u;
      right &= got[lane * 4 + i] == want;
    }
  CHECK(right);
}

// ---- cp.async

__global__ void copy_some(const unsigned char* from, unsigned char* out, int filled) {
  __shared__ __align__(16) unsigned char to[64];
  if (threadIdx.x == 0) {
    const uint32_t at = shared_offset(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(filled) : "memory");
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(at + 16), "l"(from + 16) : "memory");
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(at + 24), "l"(from + 24),
                 "r"(filled < 4 ? filled : 4)
                 : "memory");
    asm volatile("cp.async.ca.shared.global.L2::128B [%0], [%1], 4;" ::"r"(at + 28), "l"(from + 28) : "memory");
    asm volatile("cp.async.wait_all;" ::: "memory");
  }
  __syncthreads();
  out[threadIdx.x] = to[threadIdx.x];
}

static void test_copies() {
  std::vector<unsigned char> bytes(64);
  for (int i = 0; i < 64; ++i) bytes[i] = uint8_t(i + 1);
  DeviceArray<unsigned char> from(bytes), out(32);
  bool right = true;
  for (int filled : {0, 1, 4, 7, 8, 12, 15, 16}) {
    copy_some<<<1, 32>>>(from, out, filled);
    std::vector<unsigned char> want(bytes.begin(), bytes.begin() + 32);
    std::fill(want.begin() + filled, want.begin() + 16, 0);
    std::fill(want.begin() + 24 + std::min(filled, 4), want.begin() + 28, 0);
    right &= out.get() == want;
  }
  CHECK(right);
  CHECK(check::nothing_found());
}

static void test_copies_past_the_end() {
  DeviceArray<unsigned char> out(32);
  DeviceArray<unsigned char> short_one(std::vector<unsigned char>(32, 1));
  copy_some<<<1, 32>>>(short_one, out, 16);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  DeviceArray<unsigned char> shorter(std::vector<unsigned char>(31, 1));
  copy_some<<<1, 32>>>(shorter, out, 16);
  CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
  CHECK(check::found("fault", "4 bytes at offset 28 of 31 bytes"));
}

// The groups of a pipeline: the wait for all but one leaves the last one under way.
__global__ void pipeline(const int* from, int* out, bool touch_early) {
  __shared__ int to[2][4];
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; ++i) {
      asm volatile("cp.async.ca.shared.global [%0], [%1], 16;" ::"r"(shared_offset(to[i])), "l"(from + 4 * i)
                   : "memory");
      cp_async_commit();
    }
    cp_async_wait<1>();
    out[0] = to[0][3];
    if (touch_early) out[1] = to[1][3];
    cp_async_wait<0>();
    out[1] = to[1][3];
  }
}

static void test_groups() {
  DeviceArray<int> from(std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}), out(2);
  pipeline<<<1, 32>>>(from, out, false);
  CHECK(out.get() == std::vector<int>({4, 8}));
  CHECK(check::nothing_found());
  pipeline<<<1, 32>>>(from, out, true);
  CHECK(out.get() == std::vector<int>({4, 8}));
  CHECK(check::found("race", "its group has not been waited for"));
}

int main() {
  test_mma(Shape::M16N8K4Tf32, 4);
  test_mma(Shape::M16N8K8Tf32, 8);
  test_mma(Shape::M16N8K8Bf16, 8);
  test_mma(Shape::M16N8K16Bf16, 16);
  test_mma(Shape::M16N8K8F16, 8);
  test_mma(Shape::M16N8K16F16, 16);
  test_mma_rounding();
  test_ldmatrix<1, false>();
  test_ldmatrix<2, false>();
  test_ldmatrix<4, false>();
  test_ldmatrix<1, true>();
  test_ldmatrix<2, true>();
  test_ldmatrix<4, true>();
  test_copies();
  test_groups();
  test_copies_past_the_end();  // the last: the device has a fault then
  return check::summary("tensor cores and copies");
}
