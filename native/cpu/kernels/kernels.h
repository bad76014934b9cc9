// The kernels of one instruction set, as a table of functions. The drivers (native/cpu/*_driver.cc) decide what is
// computed where; a kernel does arithmetic on packed blocks and nothing else: no allocation, no threads, no errors.
//
// Layouts, with MR = columns_per_tile and NR = rows_per_strip of the table:
//   tile    MR class rows ("columns" of the problem), transposed: [D][MR]. Tiles follow one another.
//   strip   NR rows of the batch, transposed: [D][NR].
//   z, e    logits and what becomes of them, of one strip: [columns][NR]. A column is NR contiguous elements, so every
//           operation over the columns of a row is a vector operation over lanes, and needs no horizontal step.
//   panel   NR dims of many rows: [rows][NR]; panel p holds dims p * NR onwards. What the class gradients multiply
//           with. Of the last dims, a few (vector.h) that do not fill a vector lie in its place the other way round:
//           those of one dim and NR rows, in the lanes of two rows.
// The logits read a tile along its columns, the input gradients read the same tile along its dims: one packed copy of
// the class rows serves both products.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "cpu/kernels/reduced.h"

namespace sampled_softmax {

// Tiles are read up to this many elements beyond their end (results of those reads are not used).
constexpr int64_t kTileSlack = 16 * 16;

// Memory that is needed soon, for a product to ask for: line by line, evenly spread over its steps; where they are
// fewer than the lines, some lines are left out. What is in no cache takes 6 ns a line to wait for: where columns are
// few, the outputs would take as long as a product. It takes as long again where lines are asked for faster than the
// processor has room for them. Rows that lie scattered gain nothing: what finds their pages holds up the product.
struct Touch {
  const char *at = nullptr, *end = nullptr;

  inline __attribute__((always_inline)) void next(int64_t bytes) {
    __builtin_prefetch(at, 1);
    at += at < end ? bytes : 0;
  }
};

template <class T>
struct Kernels {
  int columns_per_tile;  // MR
  int rows_per_strip;    // NR

  // dst[i] = src[i] as T.
  void (*convert)(const void* src, DType dtype, int64_t n, T* dst);
  // Transposes MR rows of `dim` elements to a tile. A null pointer is a row of zeros.
  void (*pack_tile)(const T* const* rows, int64_t dim, T* tile);
  // Transposes `count` <= NR rows, `dim` apart, to a strip; the rest of the strip is zero.
  void (*pack_strip)(const T* rows, int64_t count, int64_t dim, T* strip);
  // panels[p * panel_stride + r * NR + j] = scale[r] * rows[r * dim + p * NR + j] for r < count; zero beyond count or
  // dim. The few last dims: see above.
  void (*pack_panels)(const T* rows, int64_t count, int64_t dim, const double* scale, T* panels, int64_t panel_stride);

  // z[c][r] = sum_d tile[d][c] * strip[d][r] + offset[c]; what lies beyond `columns` in z may be overwritten. Of all
  // three products: rows beyond the first `rows` are zeros in the strip and in e, and take no time where they would
  // fill a vector.
  void (*logits)(const T* tile, int64_t columns, const T* strip, int64_t rows, int64_t dim, const T* offset, T* z,
                 Touch touch);
  // max[r] = max(max[r], z[c][r]) over the columns; a NaN is passed over.
  void (*row_max)(const T* z, int64_t columns, T* max);
  // z[c][r] = exp(z[c][r] - max[r]); sum[r] += their sum, in double over blocks of columns. z <= max + 32 or NaN.
  void (*exponentials)(T* z, int64_t columns, const T* max, double* sum);
  // z = sigmoid(z); sum[r] += softplus(z).
  void (*logistic)(T* z, int64_t columns, double* sum);
  // x = exp(x), x <= 32 or NaN; x = log(x).
  void (*exps)(double* x, int64_t n);
  void (*logs)(double* x, int64_t n);

  // out[d][r] (+)= sum_c tile[d][c] * e[c][r]; out has room for `dim` rounded up to a multiple of MR.
  void (*input_gradients)(const T* tile, int64_t columns, const T* e, int64_t rows, int64_t dim, T* out,
                          bool accumulate, Touch touch);
  // out[c][d] (+)= sum over strips q and their rows r of e[q * strip_stride + c * NR + r] * panel row q * NR + r; the
  // last strip may be one of less than NR rows. `out` has one pointer per column; e may be read up to the end of the
  // last tile.
  void (*class_gradients)(const T* e, int64_t strip_stride, int64_t columns, int64_t rows, const T* panels,
                          int64_t panel_stride, int64_t dim, T* const* out, bool accumulate, Touch touch);
  // out[c] = sum over strips q and rows r of e[q * strip_stride + c * NR + r] * scale[q * NR + r], eight terms at a
  // time as T and beyond that in double: where the terms cancel, as a true class's do, a sum in float32 would lose what
  // the caller's tolerance asks for.
  void (*column_sums)(const T* e, int64_t strip_stride, int64_t columns, int64_t strips, const double* scale,
                      double* out);

  double (*dot)(const T* a, const T* b, int64_t n);          // in double but for eight terms at a time
  void (*add_scaled)(T scale, const T* x, int64_t n, T* y);  // y += scale * x
  void (*scaled)(T scale, const T* x, int64_t n, T* y);      // y = scale * x
  // y (+)= the sum of `count` arrays, `stride` apart.
  void (*sum_rows)(const T* x, int64_t stride, int64_t count, int64_t n, T* y, bool accumulate);
  // rows[r * dim + d] = scale[r] * transposed[d * NR + r], r < count; plus by[r] * added[r][d], unless `added` is null.
  void (*unpack_strip)(const T* transposed, int64_t count, int64_t dim, const double* scale, const T* const* added,
                       const double* by, T* rows);
};

struct KernelSet {
  const char* name;
  Kernels<float> float32;
  Kernels<double> float64;
  const ReducedKernels* bfloat16;  // null where the instruction set has none
};

// One for each file of this folder that was compiled in; see dispatch.cc.
const KernelSet& baseline_kernels();
#if defined(__x86_64__)
const KernelSet& avx2_kernels();
const KernelSet& avx512_kernels();
const KernelSet& avx512bf16_kernels();
const KernelSet& amx_kernels();
#elif defined(__aarch64__)
const KernelSet& neon_kernels();
#endif

}  // namespace sampled_softmax
