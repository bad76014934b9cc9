// AMX: the kernels of AVX-512, and products of bfloat16 on tiles (reduced.h): 16 x 16 sums over 32 k an instruction.
//
// An instruction takes 16 cycles, which is 16 times what fused multiply-adds of float32 do; to read a tile takes 8 or
// more. So a product holds 2 x 2 tiles of sums and reads four tiles for four instructions: 2.2 TFLOP/s a core where
// they come from the L1 cache, 1.1 from L2 (Xeon, 2.4 GHz; fused multiply-adds 0.16).
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "core/dtype.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/reduced.h"

namespace sampled_softmax {
namespace {

#include "cpu/kernels/bfloat16_packing.h"

// Tile: rows and columns of sums, and pairs along k. A block of 2 x 2 of them is MR columns (or dims) by NR rows of the
// batch (or dims).
constexpr int kTile = 16, MR = 2 * kTile;
constexpr int64_t kPairBytes = sizeof(Pair), kSumBytes = sizeof(float);

// What the numbers in the instructions mean; tile registers have no other names.
#define SUM_00 0
#define SUM_01 1
#define SUM_10 2
#define SUM_11 3
#define A_0 4
#define A_1 5
#define B_0 6
#define B_1 7

// The thread's tiles, all of 16 rows of 64 bytes. Given back at the end, or the kernel would save and restore 8 KB at
// each change of threads.
class Tiles {
 public:
  Tiles() {
    alignas(64) uint8_t shapes[64] = {1};  // palette
    for (int tile = 0; tile < 8; ++tile) {
      shapes[16 + 2 * tile] = kTile * kPairBytes;
      shapes[48 + tile] = kTile;
    }
    _tile_loadconfig(shapes);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

static inline void clear_sums() {
  _tile_zero(SUM_00);
  _tile_zero(SUM_01);
  _tile_zero(SUM_10);
  _tile_zero(SUM_11);
}

static inline void load_sums(const float* from, int64_t stride) {
  _tile_loadd(SUM_00, from, stride * kSumBytes);
  _tile_loadd(SUM_01, from + kTile, stride * kSumBytes);
  _tile_loadd(SUM_10, from + kTile * stride, stride * kSumBytes);
  _tile_loadd(SUM_11, from + kTile * stride + kTile, stride * kSumBytes);
}

static inline void store_sums(float* to, int64_t stride) {
  _tile_stored(SUM_00, to, stride * kSumBytes);
  _tile_stored(SUM_01, to + kTile, stride * kSumBytes);
  _tile_stored(SUM_10, to + kTile * stride, stride * kSumBytes);
  _tile_stored(SUM_11, to + kTile * stride + kTile, stride * kSumBytes);
}

// Adds 32 x 32 products over 16 pairs of k: a, 32 rows `a_stride` pairs apart, by b, 16 rows of NR.
static inline void add_products(const Pair* a, int64_t a_stride, const Pair* b) {
  _tile_loadd(A_0, a, a_stride * kPairBytes);
  _tile_loadd(B_0, b, NR * kPairBytes);
  _tile_loadd(A_1, a + kTile * a_stride, a_stride * kPairBytes);
  _tile_loadd(B_1, b + kTile, NR * kPairBytes);
  _tile_dpbf16ps(SUM_00, A_0, B_0);
  _tile_dpbf16ps(SUM_01, A_0, B_1);
  _tile_dpbf16ps(SUM_10, A_1, B_0);
  _tile_dpbf16ps(SUM_11, A_1, B_1);
}

static inline int64_t depth_of(int64_t dim) { return (dim + MR - 1) / MR * kTile; }

// along_dims: [MR columns][depth]. along_columns: [2 * depth dims][MR / 2].
static void pack_tile(const float* const* rows, int64_t dim, Pair* along_dims, Pair* along_columns) {
  const int64_t depth = depth_of(dim);
  for (int m = 0; m < MR; ++m) {
    for (int64_t d = 0; d < 2 * depth; d += 2 * kTile) {
      const __m512i pairs = pairs_along(load_row(rows[m], d, dim), load_row(rows[m], d + 16, dim));
      _mm512_storeu_si512(along_dims + m * depth + d / 2, pairs);
    }
  }
  // Turned over, two dims at a time: their pairs of all columns, and of these the low halves and the high ones.
  alignas(64) uint16_t low_halves[32], high_halves[32];
  alignas(64) int32_t offsets[16];
  for (int i = 0; i < 32; ++i) {
    low_halves[i] = static_cast<uint16_t>(2 * i);
    high_halves[i] = static_cast<uint16_t>(2 * i + 1);
  }
  for (int i = 0; i < 16; ++i) offsets[i] = static_cast<int32_t>(i * depth);
  const __m512i low = _mm512_load_si512(low_halves), high = _mm512_load_si512(high_halves);
  const __m512i columns = _mm512_load_si512(offsets);
  for (int64_t k = 0; k < depth; ++k, along_columns += 2 * kTile) {
    const __m512i first = _mm512_i32gather_epi32(columns, along_dims + k, 4);
    const __m512i second = _mm512_i32gather_epi32(columns, along_dims + kTile * depth + k, 4);
    _mm512_storeu_si512(along_columns, _mm512_permutex2var_epi16(first, low, second));
    _mm512_storeu_si512(along_columns + kTile, _mm512_permutex2var_epi16(first, high, second));
  }
}

static void pack_strip(const float* rows, int64_t count, int64_t dim, Pair* strip) {
  pack_rows(rows, count, dim, depth_of(dim), strip);
}

static void round(const float* e, int64_t tiles, Pair* along_columns, Pair* along_rows) {
  round_columns(e, tiles * MR, along_columns, along_rows);
}

static void logits(const Pair* tile, int64_t tiles, const Pair* strip, int64_t dim, const float* offset, float* z) {
  const Tiles use;
  const int64_t depth = depth_of(dim);
  for (int64_t t = 0; t < tiles; ++t, tile += MR * depth, offset += MR, z += MR * NR) {
    clear_sums();
    for (int64_t k = 0; k < depth; k += kTile) add_products(tile + k, depth, strip + k * NR);
    store_sums(z, NR);
    for (int m = 0; m < MR; ++m) {
      const __m512 o = _mm512_set1_ps(offset[m]);
      float* row = z + m * NR;
      _mm512_storeu_ps(row, _mm512_loadu_ps(row) + o);
      _mm512_storeu_ps(row + 16, _mm512_loadu_ps(row + 16) + o);
    }
  }
}

static void input_gradients(const Pair* tile, int64_t tiles, const Pair* e, int64_t dim, float* out, bool add) {
  const Tiles use;
  const int64_t depth = depth_of(dim);
  for (int64_t d = 0; d < dim; d += MR) {
    float* sums = out + d * NR;
    if (add) load_sums(sums, NR);
    else clear_sums();
    for (int64_t t = 0; t < tiles; ++t) add_products(tile + t * MR * depth + d * kTile, kTile, e + t * kTile * NR);
    store_sums(sums, NR);
  }
}

static void class_gradients(const Pair* e, int64_t strip_stride, int64_t columns, int64_t strips, const Pair* panels,
                            int64_t panel_stride, int64_t dim, float* const* out, bool add) {
  const Tiles use;
  alignas(64) float sums[MR * NR];
  for (int64_t c = 0; c < columns; c += MR, e += MR * kTile) {
    const int64_t count = columns - c < MR ? columns - c : MR;
    for (int64_t d = 0; d < dim; d += NR) {
      const Pair* panel = panels + d / NR * panel_stride;
      clear_sums();
      for (int64_t q = 0; q < strips; ++q) add_products(e + q * strip_stride, kTile, panel + q * kTile * NR);
      store_sums(sums, NR);
      for (int64_t m = 0; m < count; ++m) {
        for (int64_t j = 0; j < NR && d + j < dim; j += 16) {
          const __mmask16 lanes = first_lanes(dim - d - j);
          float* row = out[c + m] + d + j;
          const __m512 before = add ? _mm512_maskz_loadu_ps(lanes, row) : _mm512_setzero_ps();
          _mm512_mask_storeu_ps(row, lanes, before + _mm512_load_ps(sums + m * NR + j));
        }
      }
    }
  }
}

constexpr ReducedKernels kTiles = {MR,          NR,     MR,    pack_tile,       pack_strip,
                                   pack_panels, logits, round, input_gradients, class_gradients};

}  // namespace

const KernelSet& amx_kernels() {
  static const KernelSet set = {"amx", avx512_kernels().float32, avx512_kernels().float64, &kTiles};
  return set;
}

}  // namespace sampled_softmax
