// Kernels that multiply in bfloat16 and add up in float32: `precision: 'high'`.
//
// As in kernels.h, but what runs along k comes in pairs of bfloat16, one 32-bit word each. The two products that read
// the class rows run along different sides of them, so a tile is packed twice; so are the probabilities of a strip.
//
// Dims are padded with zeros to `2 * depth` = a multiple of dims_per_step, so that each form of a tile has MR * depth
// pairs.
#pragma once

#include <cstdint>

namespace sampled_softmax {

using Pair = uint32_t;  // two bfloat16; the first in the low half

struct ReducedKernels {
  int columns_per_tile;  // MR, even
  int rows_per_strip;    // NR, even
  int dims_per_step;     // even

  // Two forms of the tile, each a kernel's own: what logits reads, and what input_gradients reads. A null row is zeros.
  void (*pack_tile)(const float* const* rows, int64_t dim, Pair* along_dims, Pair* along_columns);
  void (*pack_strip)(const float* rows, int64_t count, int64_t dim, Pair* strip);  // [depth][NR] pairs of dims
  // [rows / 2][NR] pairs of rows, times scale.
  void (*pack_panels)(const float* rows, int64_t count, int64_t dim, const double* scale, Pair* panels,
                      int64_t panel_stride);
  void (*logits)(const Pair* along_dims, int64_t tiles, const Pair* strip, int64_t dim, const float* offset, float* z);
  // Rounds e of whole tiles: along_columns [columns / 2][NR] pairs of columns, along_rows [columns][NR / 2] of rows.
  void (*round)(const float* e, int64_t tiles, Pair* along_columns, Pair* along_rows);
  // out: [dim rounded up to MR][NR]
  void (*input_gradients)(const Pair* along_columns, int64_t tiles, const Pair* e_along_columns, int64_t dim,
                          float* out, bool add);
  void (*class_gradients)(const Pair* e_along_rows, int64_t strip_stride, int64_t columns, int64_t strips,
                          const Pair* panels, int64_t panel_stride, int64_t dim, float* const* out, bool add);
};

}  // namespace sampled_softmax
