// Host memory that a device can copy from and to while the host does something else. To pin pages takes longer than a
// step, so blocks are kept for later calls, of any device.
#pragma once

#include <cstddef>

#include "core/status.h"

namespace sampled_softmax {
namespace cuda {

class Pinned {
 public:
  Pinned() = default;
  ~Pinned() { release(); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  Status take(size_t bytes);
  void release();
  char* data() const { return data_; }

  // Memory outside of the cache, for cudaFreeHost. Where there is none left, what the cache has is given up.
  static Status allocate(size_t bytes, void** data);
  // Frees the blocks that nobody has.
  static void trim();

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace cuda
}  // namespace sampled_softmax
