#include "runtime/tensor.h"

#include <cmath>
#include <cstring>

#include "runtime/collective.h"
#include "runtime/findings.h"
#include "runtime/ptx/floats.h"

namespace cuemu {
namespace {

constexpr unsigned kAll = ~0u, kLanes = 32, kRows = 16, kColumns = 8;

struct Shape {
  enum Type { Tf32, Bf16, F16 } type;
  unsigned depth;
};
Shape shape_of(Mma mma) {
  switch (mma) {
    case Mma::M16N8K4Tf32: return {Shape::Tf32, 4};
    case Mma::M16N8K8Tf32: return {Shape::Tf32, 8};
    case Mma::M16N8K8Bf16: return {Shape::Bf16, 8};
    case Mma::M16N8K16Bf16: return {Shape::Bf16, 16};
    case Mma::M16N8K8F16: return {Shape::F16, 8};
    case Mma::M16N8K16F16: return {Shape::F16, 16};
  }
  return {};
}

float element(Shape::Type type, uint32_t bits, unsigned half) {
  switch (type) {
    case Shape::Tf32: return ptx::as<float>(bits & 0xffffe000u);  // the low 13 bits are not looked at
    case Shape::Bf16: return ptx::widen(ptx::bf16{uint16_t(bits >> 16 * half)});
    case Shape::F16: return ptx::widen(ptx::f16{uint16_t(bits >> 16 * half)});
  }
  return 0;
}

struct Operands {
  const float* c;
  const uint32_t *a, *b;
};

struct Matrices {
  float a[kRows][16], b[16][kColumns], c[kRows][kColumns];
};

// A register holds one element of 32 bits or two of 16, neighbours along k. Lane 4 g + q holds, of A, rows g and g + 8,
// and of B, column g; along k the q-th register of each group of four, and then that of the next group.
void gather(Matrices& m, const LaneData* lanes, Shape shape) {
  const unsigned per_register = shape.type == Shape::Tf32 ? 1 : 2, groups = shape.depth / (4 * per_register);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const auto& o = *static_cast<const Operands*>(lanes[lane].in);
    const unsigned g = lane / 4, q = lane % 4;
    for (unsigned group = 0; group < groups; ++group)
      for (unsigned half = 0; half < per_register; ++half) {
        const unsigned k = (4 * group + q) * per_register + half;
        m.a[g][k] = element(shape.type, o.a[2 * group], half);
        m.a[g + 8][k] = element(shape.type, o.a[2 * group + 1], half);
        m.b[k][g] = element(shape.type, o.b[group], half);
      }
    for (unsigned i = 0; i < 4; ++i) m.c[g + i / 2 * 8][2 * q + i % 2] = o.c[i];
  }
}

float cut_off(double sum) {
  const float rounded = float(sum);
  return std::fabs(double(rounded)) > std::fabs(sum) && std::isfinite(sum) ? std::nextafter(rounded, 0.f) : rounded;
}

void multiply(Matrices& m, unsigned depth) {
  for (unsigned i = 0; i < kRows; ++i)
    for (unsigned j = 0; j < kColumns; ++j) {
      double sum = m.c[i][j];
      for (unsigned k = 0; k < depth; ++k) sum += double(m.a[i][k]) * m.b[k][j];
      m.c[i][j] = ptx::canonical(cut_off(sum));
    }
}

void run_mma(const LaneData* lanes, uint32_t present, uint64_t mma) {
  if (present != kAll) return report("synccheck", 0, "mma.sync without all lanes of the warp");
  const Shape shape = shape_of(Mma(mma));
  Matrices m;
  gather(m, lanes, shape);
  multiply(m, shape.depth);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned i = 0; i < 4; ++i)
      static_cast<float*>(lanes[lane].out)[i] = m.c[lane / 4 + i / 2 * 8][2 * (lane % 4) + i % 2];
}

constexpr unsigned kTransposed = 8;  // in the immediate, beside the count

void run_load_matrices(const LaneData* lanes, uint32_t present, uint64_t immediate) {
  if (present != kAll) return report("synccheck", 0, "ldmatrix without all lanes of the warp");
  const unsigned count = immediate & 7;
  uint16_t matrix[4][8][8];
  for (unsigned i = 0; i < 8 * count; ++i)
    std::memcpy(matrix[i / 8][i % 8], *static_cast<void* const*>(lanes[i].in), 16);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned i = 0; i < count; ++i) {
      const unsigned row = lane / 4, column = 2 * (lane % 4);
      const auto& m = matrix[i];
      const bool transposed = immediate & kTransposed;
      const uint16_t low = transposed ? m[column][row] : m[row][column];
      const uint16_t high = transposed ? m[column + 1][row] : m[row][column + 1];
      static_cast<uint32_t*>(lanes[lane].out)[i] = low | uint32_t(high) << 16;
    }
}

}  // namespace

void multiply_accumulate(Mma shape, float* d, const uint32_t* a, const uint32_t* b) {
  const Operands operands{d, a, b};
  collective(kAll, run_mma, uint64_t(shape), &operands, d, "mma");
}

void load_matrices(uint32_t* fragments, unsigned count, const void* row, bool transposed) {
  collective(kAll, run_load_matrices, count | (transposed ? kTransposed : 0), &row, fragments, "ldmatrix");
}

}  // namespace cuemu
