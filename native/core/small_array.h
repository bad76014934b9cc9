// An array whose size is known when it is made: a few elements lie in the object itself, as a small step would notice
// an allocation (35 ns, of fifty thousand, and there were a dozen).
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace sampled_softmax {

template <class T, size_t Few>
class SmallArray {
  static_assert(std::is_trivially_copyable<T>::value, "elements are not initialised");

 public:
  SmallArray() = default;
  SmallArray(const SmallArray&) = delete;  // pointers to its elements would be to the other's
  SmallArray& operator=(const SmallArray&) = delete;
  explicit SmallArray(size_t size) { resize(size); }

  // New elements, none of which is anything yet.
  void resize(size_t size) {
    if (size > Few) more_.reset(new T[size]);
    size_ = size;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return size_ > Few ? more_.get() : few_; }
  const T* data() const { return size_ > Few ? more_.get() : few_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }

 private:
  size_t size_ = 0;
  std::unique_ptr<T[]> more_;
  T few_[Few];
};

}  // namespace sampled_softmax
