// Rows of device tables that a loss copies into arrays of its own, because they are of another dtype than its
// arithmetic, or biases: which rows, shard by shard, and where they go.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <vector>

#include "core/problem.h"
#include "core/status.h"
#include "cuda/layout.h"
#include "cuda/table.h"

namespace sampled_softmax {
namespace cuda {

class TableGather {
 public:
  // Room for `most` rows, or all rows of the only shard in their order, which need no list.
  void plan(Layout& uploads, const ClassRows& rows, int64_t most, bool all);
  bool planned() const { return rows_ != nullptr; }

  void add(int32_t shard, int64_t from, int64_t to) {
    if (!all_) copies_.push_back({shard, from, to});
  }
  // Into the arrays that go over, once all have been added.
  void fill();

  // The copies into padded rows of `dim` elements, or into doubles.
  Status copy(const Queue& queue, int64_t dim, DType dtype, void* to) const;
  Status copy_biases(const Queue& queue, double* to) const;

 private:
  struct Copy {
    int32_t shard;
    int64_t from, to;
  };
  template <class Launch>
  Status launch(const char* kernel, Launch&& one) const;

  const ClassRows* rows_ = nullptr;
  bool all_ = false;
  std::vector<Copy> copies_;
  std::vector<int64_t> starts_;  // of the shards' copies in `from` and `to`, and the end
  Mirrored<int64_t> from_, to_;
};

}  // namespace cuda
}  // namespace sampled_softmax
