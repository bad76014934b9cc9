// The memory that a call works in: all its arrays in one block, asked for at once, in huge pages where it is large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/status.h"

namespace sampled_softmax {

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  // Notes that `pointer` shall point to `count` uninitialised elements, aligned to a cache line.
  template <class T>
  void plan(T*& pointer, int64_t count) {
    if (num_parts_ == kMostParts) std::abort();  // a driver that plans more has to raise it
    parts_[num_parts_++] = {&pointer, bytes_};
    bytes_ += (static_cast<size_t>(count) * sizeof(T) + kAlign - 1) / kAlign * kAlign;
  }

  // Sets the pointers.
  Status allocate();

  // Frees the block that is kept for the next call.
  static void release_kept();

 private:
  static constexpr size_t kAlign = 64;
  struct Part {
    void* pointer;  // to the caller's pointer
    size_t offset;
  };

  static constexpr int kMostParts = 32;
  Part parts_[kMostParts];
  int num_parts_ = 0;
  size_t bytes_ = 0, size_ = 0;
  void* block_ = nullptr;
};

// Asks for huge pages where the array is large enough to gain from them: a first touch of 2 MiB at a time.
void prefer_huge_pages(void* data, size_t bytes);

}  // namespace sampled_softmax
