// Where the arrays of a call lie: all of one kind side by side, so that they are allocated, and copied, at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {
namespace cuda {

// An array that the host fills or reads and the kernels read or fill: the same place in a pinned block and in one of
// device memory.
template <class T>
struct Mirrored {
  T* host = nullptr;
  T* device = nullptr;
  explicit operator bool() const { return device != nullptr; }
};

class Layout {
 public:
  template <class T>
  void add(T*& device, int64_t count) {
    add(nullptr, reinterpret_cast<void**>(&device), static_cast<size_t>(count) * sizeof(T));
  }
  template <class T>
  void add(Mirrored<T>& array, int64_t count) {
    add(reinterpret_cast<void**>(&array.host), reinterpret_cast<void**>(&array.device),
        static_cast<size_t>(count) * sizeof(T));
  }

  size_t bytes() const { return bytes_; }

  // Sets the pointers. An array of no elements gets one too: "wanted" is a pointer that is not null.
  void place(char* device, char* host) const {
    for (const Part& part : parts_) {
      *part.device = device + part.offset;
      if (part.host) *part.host = host + part.offset;
    }
  }

 private:
  // What cudaMalloc promises, and what any copy wants.
  static constexpr size_t kAlign = 256;
  struct Part {
    void **host, **device;
    size_t offset;
  };

  void add(void** host, void** device, size_t bytes) {
    parts_.push_back({host, device, bytes_});
    bytes_ += (bytes + kAlign) / kAlign * kAlign;
  }

  std::vector<Part> parts_;
  size_t bytes_ = 0;
};

}  // namespace cuda
}  // namespace sampled_softmax
