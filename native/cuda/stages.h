// Two pairs of blocks, one of the host and one of the device, that a call fills in turns: while the stream works on one
// the thread fills the other, or empties it.
#pragma once

#include <cstddef>
#include <memory>

#include "core/status.h"
#include "cuda/errors.h"
#include "cuda/layout.h"
#include "cuda/pinned.h"
#include "cuda/table.h"

namespace sampled_softmax {
namespace cuda {

// Bytes of a block, where a single row (or the rows of one sum) does not need more. For tests,
// SAMPLED_SOFTMAX_CUDA_STAGED_BYTES says another number.
int64_t staged_bytes();

struct Stage {
  int64_t first = 0, count = 0;  // of the call's rows
  Mirrored<int64_t> index, starts;
  Mirrored<char> values;

  Pinned pinned;
  void* memory = nullptr;
  size_t bytes = 0, capacity = 0;
  std::shared_ptr<Event> done;  // null: free
};

class Stages {
 public:
  // The lane may be taken later, and is given back later than this ends.
  Stages(Device& device, const Lane& lane) : device_(device), lane_(lane) {}
  ~Stages();
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  // The next stage, free, for rows [first, first + count), with its arrays laid out; `empty` is called first for what
  // it still holds. `starts` may be none.
  template <class Empty>
  Status next(int64_t first, int64_t count, int64_t indices, int64_t starts, size_t value_bytes, Empty&& empty,
              Stage** stage) {
    Stage& s = stages_[turn_++ % 2];
    if (Status status = finish(s, empty); !status.ok()) return status;
    s.first = first;
    s.count = count;
    *stage = &s;
    return lay_out(s, indices, starts, value_bytes);
  }
  // What the stream does up to here concerns the stage.
  Status sent(Stage& stage) {
    Status status = Event::create(&stage.done);
    if (status.ok()) status = check(cudaEventRecord(stage.done->get(), lane_.stream), "cudaEventRecord");
    return status;
  }
  // Empties what is left.
  template <class Empty>
  Status finish(Empty&& empty) {
    for (int i = 0; i < 2; ++i) {
      if (Status status = finish(stages_[turn_++ % 2], empty); !status.ok()) return status;
    }
    return {};
  }

 private:
  template <class Empty>
  Status finish(Stage& stage, Empty&& empty) {
    if (!stage.done) return {};
    if (Status status = check(cudaEventSynchronize(stage.done->get()), "rows of a table"); !status.ok()) return status;
    stage.done.reset();
    empty(stage);
    return {};
  }
  Status lay_out(Stage& stage, int64_t indices, int64_t starts, size_t value_bytes);

  Device& device_;
  const Lane& lane_;
  Stage stages_[2];
  unsigned turn_ = 0;
};

}  // namespace cuda
}  // namespace sampled_softmax
