// Kernels that multiply in bfloat16 and add up in float32, two products to an instruction: `precision: 'high'`.
//
// As in kernels.h, but what runs along k comes in pairs of bfloat16, one 32-bit word each. The two products that read
// the class rows run along different sides of them, so a tile is packed twice, in as many bytes as one of float32;
// so are the probabilities of the strip at hand.
#pragma once

#include <cstdint>

namespace sampled_softmax {

using Pair = uint32_t;  // two bfloat16; the first in the low half

struct ReducedKernels {
  int columns_per_tile;  // MR, even
  int rows_per_strip;    // NR, even

  // along_dims [dim / 2][MR] pairs of dims; along_columns [MR / 2][dim] pairs of columns. A null row is zeros.
  void (*pack_tile)(const float* const* rows, int64_t dim, Pair* along_dims, Pair* along_columns);
  void (*pack_strip)(const float* rows, int64_t count, int64_t dim, Pair* strip);  // [dim / 2][NR] pairs of dims
  // [rows / 2][NR] pairs of rows, times scale.
  void (*pack_panels)(const float* rows, int64_t count, int64_t dim, const double* scale, Pair* panels,
                      int64_t panel_stride);
  void (*logits)(const Pair* along_dims, int64_t tiles, const Pair* strip, int64_t dim, const float* offset, float* z);
  // Rounds e of whole tiles: along_columns [columns / 2][NR] pairs of columns, along_rows [columns][NR / 2] of rows.
  void (*round)(const float* e, int64_t tiles, Pair* along_columns, Pair* along_rows);
  void (*input_gradients)(const Pair* tile_along_columns, int64_t tiles, const Pair* e_along_columns, int64_t dim,
                          float* out);
  void (*class_gradients)(const Pair* e_along_rows, int64_t strip_stride, int64_t columns, int64_t strips,
                          const Pair* panels, int64_t panel_stride, int64_t dim, float* const* out, bool add);
};

}  // namespace sampled_softmax
