// What calls that move rows between the host and the device have in common.
#pragma once

#include <algorithm>
#include <cstdio>

#include "core/backend.h"
#include "cuda/device_call.h"
#include "cuda/errors.h"
#include "cuda/stages.h"

namespace sampled_softmax {
namespace cuda {

class RowsCall : public DeviceCall {
 protected:
  RowsCall(Device& device, const char* verb, int64_t count, int64_t dim)
      : DeviceCall(device), stages_(device, lane_), count_(count), dim_(dim) {
    std::snprintf(what_, sizeof what_, "%s %lld rows of %lld", verb, static_cast<long long>(count),
                  static_cast<long long>(dim));
  }

  const char* what() const override { return what_; }

  Status copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    return check(cudaMemcpyAsync(to, from, bytes, kind, stream()), "copy of %zu bytes", bytes);
  }
  // How many rows of `row_bytes` and an index fit a stage.
  static int64_t rows_of_stage(int64_t row_bytes) {
    return std::max<int64_t>(1, staged_bytes() / (row_bytes + static_cast<int64_t>(sizeof(int64_t))));
  }

  Stages stages_;
  const int64_t count_, dim_;
  char what_[80];
};

}  // namespace cuda
}  // namespace sampled_softmax
