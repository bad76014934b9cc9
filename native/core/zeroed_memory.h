// Memory that is large, zero at first, and taken from the machine page by page as it is touched.
#pragma once

#include <cstddef>

#include "core/status.h"

namespace sampled_softmax {

// Of the system, at least 64-byte aligned, in huge pages where it is large; null where there is none to be had.
void* map_zeroed(size_t bytes);
void unmap_zeroed(void* memory, size_t bytes);

// Memory of a table.
class ZeroedMemory {
 public:
  ZeroedMemory() = default;
  ~ZeroedMemory();
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;

  // Once per object. Code::out_of_memory where the machine or the control group could not hold `bytes` once all of
  // them, and all that earlier objects were given, have been touched. `what` begins the message.
  Status allocate(size_t bytes, const char* what);

  // At least 64-byte aligned; not null after an allocation of 0 bytes.
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace sampled_softmax
