// Keeps the first appearance of each class: what a sample without repeats is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {

// A bitmap of the range where that is small, else a hash set of the sample (open addressing, at most a
// quarter full). The bitmap needs no branch per draw: about half of the draws of a large log-uniform sample
// are repeats, and no processor predicts which.
class DistinctClasses {
 public:
  // The calling thread's own, empty. Samplers share it, so that its memory exists once and stays warm.
  static DistinctClasses& of_this_thread();

  // Before the first class: all will be in [0, range), and at most `capacity` will be held at a time.
  void start(int64_t range, int64_t capacity);
  // Makes `id` a class that was seen. True where it was not yet.
  bool insert(int64_t id);
  // Appends to kept[*count .. limit) what was not seen before, until `limit` is reached. Returns how many of
  // the candidates were looked at.
  size_t keep_new(const int64_t* candidates, size_t length, int64_t* kept, size_t* count, size_t limit);
  // Forgets the classes: all that were inserted or kept since start() must be passed, in one call or several.
  void forget(const int64_t* ids, size_t length);

 private:
  bool bitmap_ = true;
  size_t slots_ = 0;             // of the hash set; a power of two
  int shift_ = 0;                // 64 - log2(slots)
  std::vector<uint64_t> words_;  // the bitmap, or one slot a word: id + 1, 0 where empty. All 0 when nothing is held
};

}  // namespace sampled_softmax
