#include "cuda/stages.h"

#include <cstdlib>

namespace sampled_softmax {
namespace cuda {

int64_t staged_bytes() {
  static const int64_t bytes = [] {
    const char* text = std::getenv("SAMPLED_SOFTMAX_CUDA_STAGED_BYTES");
    const long long n = text ? std::atoll(text) : 0;
    return n > 0 ? static_cast<int64_t>(n) : int64_t{16} << 20;
  }();
  return bytes;
}

Stages::~Stages() {
  for (const Stage& stage : stages_) device_.free(lane_, stage.memory);
}

Status Stages::lay_out(Stage& stage, int64_t indices, int64_t starts, size_t value_bytes) {
  Layout layout;
  stage.index = stage.starts = {};
  if (indices) layout.add(stage.index, indices);
  if (starts) layout.add(stage.starts, starts);
  layout.add(stage.values, static_cast<int64_t>(value_bytes));
  stage.bytes = layout.bytes();
  if (stage.bytes > stage.capacity) {
    stage.capacity = 0;
    device_.free(lane_, stage.memory);
    stage.memory = nullptr;
    if (Status status = stage.pinned.take(stage.bytes); !status.ok()) return status;
    if (Status status = device_.allocate(lane_, stage.bytes, &stage.memory); !status.ok()) {
      stage.memory = nullptr;
      return status;
    }
    stage.capacity = stage.bytes;
  }
  layout.place(static_cast<char*>(stage.memory), stage.pinned.data());
  return {};
}

}  // namespace cuda
}  // namespace sampled_softmax
