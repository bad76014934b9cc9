#include "core/samplers/weight_tree.h"

namespace sampled_softmax {

Status WeightTree::make(int64_t classes, WeightTree* tree) {
  const size_t size = static_cast<size_t>(classes);
  WeightTree made;
  // calloc, not a vector: fresh zero pages are mapped only when they are written.
  made.added_.reset(static_cast<int32_t*>(std::calloc(size, sizeof(int32_t))));
  made.node_.reset(static_cast<int32_t*>(std::calloc(size + 1, sizeof(int32_t))));
  if (!made.added_ || !made.node_) {
    return Status::error(Code::out_of_memory,
                         "a learned unigram sampler of %lld classes needs %lld MB of address space",
                         static_cast<long long>(classes), static_cast<long long>(classes / 125'000));
  }
  made.classes_ = made.total_ = classes;
  made.top_ = 1;
  while (made.top_ * 2 <= classes) made.top_ *= 2;
  *tree = std::move(made);
  return {};
}

void WeightTree::add(int64_t id, int32_t amount) {
  added_[id] += amount;
  total_ += amount;
  for (int64_t node = id + 1; node <= classes_; node += node & -node) node_[node] += amount;
}

int64_t WeightTree::find(int64_t target) const {
  int64_t position = 0;
  for (int64_t step = top_; step > 0; step /= 2) {
    const int64_t next = position + step;
    if (next > classes_) continue;
    // Node `next` covers the `step` classes that end there, each with its own 1.
    const int64_t weight = step + node_[next];
    const bool beyond = weight <= target;
    position = beyond ? next : position;
    target -= beyond ? weight : 0;
  }
  return position;
}

}  // namespace sampled_softmax
