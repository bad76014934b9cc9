// Where the kernels of a loss find the row of each class, and its bias: in a table of the device itself, in a copy of
// its rows in the dtype that is multiplied, or in rows that came over from the host.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <type_traits>

#include "core/problem.h"
#include "core/status.h"
#include "cuda/kernels/kernels.h"
#include "cuda/layout.h"
#include "cuda/table_gather.h"

namespace sampled_softmax {
namespace cuda {

template <class E>
constexpr DType dtype_of = std::is_same_v<E, double>     ? DType::float64
                           : std::is_same_v<E, float>    ? DType::float32
                           : std::is_same_v<E, BFloat16> ? DType::bfloat16
                                                         : DType::float16;

// A row of `width` elements as E, zeros up to `pitch`. Rows of 16 bits are read as what they are stored as.
template <class E>
void read_row(const void* data, DType dtype, int64_t width, int64_t pitch, E* out);

template <class E>
class ClassArrays {
 public:
  Mirrored<const E*> column_rows, label_rows;  // [S], [B * T]: each of `pitch` elements
  Mirrored<double> column_bias, label_bias;    // [S], [B * T]; null without biases

  void plan(const SampledProblem& problem, bool full, int64_t pitch, Layout& uploads, Layout& scratch);
  // Reads all rows of the host's that are needed.
  void fill();
  // What is done on the device before the kernels of the loss, once the uploads are there.
  Status gather(const Queue& queue) const;

 private:
  int64_t labels() const { return p_->batch * p_->num_true; }
  int64_t class_of(int64_t column) const { return p_->sampled ? p_->sampled[column] : column; }
  const E* row_for(int64_t id, int64_t use);
  void fill_biases();

  const SampledProblem* p_ = nullptr;
  int64_t pitch_ = 0;
  // Rows of the host's, and converted ones: one for each use where uses are fewer than classes, else one for each class
  // that is used.
  bool by_class_ = false;
  std::vector<bool> filled_;
  Mirrored<E> host_rows_;
  E* converted_rows_ = nullptr;
  TableGather conversions_, column_biases_, label_biases_;
  // The columns are the rows of one table, in their order: their addresses are worked out on the device.
  const DeviceTable* columns_are_ = nullptr;
};

extern template class ClassArrays<float>;
extern template class ClassArrays<double>;
extern template class ClassArrays<BFloat16>;
extern template class ClassArrays<Float16>;

}  // namespace cuda
}  // namespace sampled_softmax
