// What the host side launches: one function a kernel, each in the .cu file of its name. All arrays are in device
// memory.
//
// Letters: B batch, D dim, S sampled classes (columns), T true classes per row. Matrices that are read as rows of D
// have a pitch of whole 16 bytes, zeros beyond D: `pitch` elements. Their elements are of E, all else is of T: both
// float, both double, or float beside rows of BFloat16 or Float16. Each launcher returns what the launch itself
// returned; what goes wrong while a kernel runs shows later, on the stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "core/problem.h"
#include "cuda/queue.h"

namespace sampled_softmax {
namespace cuda {

// Elements of rows that are multiplied as they are stored.
struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};

// How products are formed. On tensor cores, from sm_80 on: tf32 of rows of float, where it is asked for; of rows of
// BFloat16 always bf16, and of Float16 f16, or tf32 where one factor is an activation.
enum class Arithmetic { fma, tf32, bf16, f16 };

// Columns [begin, begin + count) of the problem.
struct ColumnRange {
  int64_t begin = 0, count = 0;
};

// Which logits are accidental hits. keys[c]: the class of column c, or -1 where it is never left out.
struct HitTest {
  const int64_t* keys = nullptr;    // [S]; null: all columns count
  const int64_t* labels = nullptr;  // [B, T], each row's ascending
  int64_t num_true = 0;
};

// Of each row and tile of columns, [B][pitch]: the largest logit (-infinity where none counts, and for the logistic
// loss), and the sum of exp(z - max), or of softplus(z).
template <class T>
struct Partials {
  T* max = nullptr;
  double* sum = nullptr;
  int64_t pitch = 0;
};

// The state of the rows after finish_rows.
template <class T>
struct Rows {
  T* max = nullptr;               // [B]
  double* scale = nullptr;        // [B]: gradient of logit (b, c) = scale[b] * activation(z, max[b])
  double* true_logits = nullptr;  // [B, T]; used up by finish_rows
  double* true_dz = nullptr;      // [B, T] gradients of the true logits
};

// offset[c] = bias[c] - log(count[c]), in double, rounded once. `bias` and `count` may be null.
template <class T>
cudaError_t column_offsets(const Queue& queue, int64_t count, const double* bias, const double* expected_count,
                           T* offset);

// true_logits[i] = inputs[i / T] . rows[i] + bias[i] - log(count[i]).
template <class E>
cudaError_t true_logits(const Queue& queue, int64_t batch, int64_t num_true, int64_t dim, int64_t pitch,
                        const E* inputs, const E* const* rows, const double* bias, const double* expected_count,
                        double* logits);

// How many partials a row has of `columns` columns.
template <class T>
int64_t partials_per_row(int64_t columns);
// The pitch of the logits of `columns` columns.
int64_t logits_pitch(int64_t columns);

// The logits of a range of columns, hits left out (-infinity): stored [B][logits_pitch] where `z` is not null, and
// reduced tile by tile where `partials` are not null.
template <class T, class E>
cudaError_t logits(const Queue& queue, int64_t batch, ColumnRange columns, int64_t pitch, const E* inputs,
                   const E* const* rows, const T* offset, const HitTest& hits, Loss loss, T* z,
                   const Partials<T>& partials, Arithmetic arithmetic = Arithmetic::fma);

struct RowEnd {
  Loss loss = Loss::softmax;
  Numerics numerics = Numerics::stable;
  bool full = false;                 // as core/loss_terms.h
  const double* upstream = nullptr;  // [B]
  double upstream_scale = 1;
};

// From the partials to the losses, and to what the gradients need.
template <class T>
cudaError_t finish_rows(const Queue& queue, int64_t batch, int64_t num_true, const RowEnd& end,
                        const Partials<T>& partials, const Rows<T>& rows, T* losses);

// The sums of the columns' activations, in parts of the batch: [parts][pitch].
struct ColumnSums {
  double* values = nullptr;
  int64_t parts = 1, pitch = 0;
};

// In how many parts the activations' kernel cuts the batch, so that its blocks fill the device: a function of the
// problem alone.
template <class T>
int64_t parts_of_batch(int64_t batch, int64_t columns);

// In place of each logit of `z` what the products multiply: scale[b] * activation(z[b][c], max[b]), laid out and
// rounded as `arithmetic` on rows of E wants it (activations.cuh). sums[part][c] = their sum over the rows of the part,
// where `sums` has values.
template <class T, class E>
cudaError_t activations(const Queue& queue, int64_t batch, ColumnRange columns, T* z, const Rows<T>& state, Loss loss,
                        const ColumnSums& sums, Arithmetic arithmetic = Arithmetic::fma);

// In how many parts the sum of a product over `length` is cut, so that its m x n outputs are `blocks` or more: a
// function of the problem alone.
template <class T>
int64_t parts_of_sum(int64_t m, int64_t n, int64_t length, int64_t blocks);

// parts[part][b][d] = (add ? itself : 0) + the sum over the part's columns of the activation of (b, c) * rows[c][d].
template <class T, class E>
cudaError_t input_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t pitch, ColumnRange columns,
                            const T* z, const E* const* rows, int64_t num_parts, T* parts, bool add,
                            Arithmetic arithmetic = Arithmetic::fma);

// out[b][d] = the sum over the parts + the sum over j of true_dz[b][j] * label_rows[b][j][d].
template <class T, class E>
cudaError_t finish_input_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t num_true,
                                   const Rows<T>& state, int64_t num_parts, const T* parts, const E* const* label_rows,
                                   T* out);

// values[row_of[c]][d] = the sum over b of the activation of (b, c) * inputs[b][d]; row c where `row_of` is null. Of
// the columns of the range alone, column columns.begin first. In several parts of the batch (without `row_of`)
// values[part][c][d], which finish_class_gradients adds up.
template <class T, class E>
cudaError_t class_gradients(const Queue& queue, int64_t batch, int64_t dim, int64_t pitch, ColumnRange columns,
                            const T* z, const E* inputs, const int64_t* row_of, T* values, int64_t num_parts,
                            Arithmetic arithmetic = Arithmetic::fma);

// values[row_of[c]][d] = the sum over the parts [part][c][d] of `count` columns.
template <class T>
cudaError_t finish_class_gradients(const Queue& queue, int64_t count, int64_t dim, int64_t num_parts, const T* parts,
                                   const int64_t* row_of, T* values);

// values[row_of[i]][d] = true_dz[i] * inputs[i / T][d]; row i where `row_of` is null.
template <class T, class E>
cudaError_t label_gradients(const Queue& queue, int64_t labels, int64_t num_true, int64_t dim, int64_t pitch,
                            const double* true_dz, const E* inputs, const int64_t* row_of, T* values);

// Slots in the order of their rows: those of segment s are slots[starts[s]] to slots[starts[s + 1]], all of one row,
// rows[s], in the order in which they are added. A slot below `labels` is a label, another one column `slot - labels`.
struct Segments {
  int64_t count = 0;
  const int64_t* starts = nullptr;
  const int64_t* slots = nullptr;
  const int64_t* rows = nullptr;
  int64_t labels = 0;
};

// values[rows[s]] += the sum over the slots of segment s, in double. `columns`: [S][D], null where no slot is one.
template <class T, class E>
cudaError_t merge_class_gradients(const Queue& queue, const Segments& segments, int64_t num_true, int64_t dim,
                                  int64_t pitch, const double* true_dz, const E* inputs, const T* columns, T* values);
// values[rows[s]] = the same of bias gradients. Without `starts` each slot is a segment; without `rows`, row s.
template <class T>
cudaError_t merge_bias_gradients(const Queue& queue, const Segments& segments, const double* true_dz,
                                 const ColumnSums& columns, T* values);

}  // namespace cuda
}  // namespace sampled_softmax
