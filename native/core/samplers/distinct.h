// Keeps the first appearance of each class: what a sample without repeats is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/zeroed_memory.h"

namespace sampled_softmax {

// A bitmap of the range where that is small, else a hash set of the sample. The bitmap needs no branch per draw: about
// half of the draws of a large log-uniform sample are repeats, and no processor predicts which.
class DistinctClasses {
 public:
  // The calling thread's own, empty. Samplers share it, so that its memory exists once and stays warm.
  static DistinctClasses& of_this_thread();

  // Before the first class: all will be in [0, range), and at most `capacity` will be held at a time. Takes up to 16
  // MiB; beyond, no more than 6 bytes per class, or 12 where the range does not fit in 32 bits. Throws std::bad_alloc.
  void start(int64_t range, int64_t capacity);
  // Makes `id` a class that was seen. True where it was not yet.
  bool insert(int64_t id);
  // Appends to kept[*count .. limit) what was not seen before, until `limit` is reached. Returns how many of
  // the candidates were looked at.
  size_t keep_new(const int64_t* candidates, size_t length, int64_t* kept, size_t* count, size_t limit);
  // Forgets the classes: all that were inserted or kept since start() must be passed, in one call or several. More than
  // 16 MiB go back to the system.
  void forget(const int64_t* ids, size_t length);

 private:
  struct Unmap {
    size_t bytes;
    void operator()(void* memory) const { unmap_zeroed(memory, bytes); }
  };
  enum class Form { bitmap, narrow_slots, wide_slots };

  // What `use` gives for the set in its form.
  template <typename Use>
  auto with_set(Use use);

  Form form_ = Form::bitmap;
  size_t slots_ = 0;                     // of the hash set
  std::unique_ptr<void, Unmap> memory_;  // all 0 when nothing is held
};

}  // namespace sampled_softmax
