// Ids and expected counts in either width: JavaScript's arrays are read in place, and what the package makes of them
// takes as few bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {

class Ids {
 public:
  Ids() = default;
  Ids(const int32_t* ids) : data_(ids), wide_(false) {}
  Ids(const int64_t* ids) : data_(ids), wide_(true) {}

  explicit operator bool() const { return data_ != nullptr; }
  int64_t operator[](int64_t i) const {
    return wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }

 private:
  const void* data_ = nullptr;
  bool wide_ = true;
};

// Ids in as few bytes as they need, zeros at first, in memory of its own or of somebody else's.
class IdVector {
 public:
  IdVector() = default;
  IdVector(size_t size, bool wide) : size_(size), wide_(wide), own_(wide ? size : (size + 1) / 2), data_(own_.data()) {}
  IdVector(size_t size, bool wide, void* zeros) : size_(size), wide_(wide), data_(zeros) {}
  // A copy would point to the other's memory.
  IdVector(IdVector&&) = default;
  IdVector& operator=(IdVector&&) = default;

  size_t size() const { return size_; }
  Ids view() const { return wide_ ? Ids(static_cast<const int64_t*>(data_)) : Ids(static_cast<const int32_t*>(data_)); }
  int64_t operator[](size_t i) const {
    return wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }
  void set(size_t i, int64_t id) {
    if (wide_) static_cast<int64_t*>(data_)[i] = id;
    else static_cast<int32_t*>(data_)[i] = static_cast<int32_t>(id);
  }

 private:
  size_t size_ = 0;
  bool wide_ = false;
  std::vector<int64_t> own_;
  void* data_ = nullptr;
};

class Counts {
 public:
  Counts() = default;
  Counts(const float* counts) : data_(counts), wide_(false) {}
  Counts(const double* counts) : data_(counts), wide_(true) {}

  double operator[](int64_t i) const {
    return wide_ ? static_cast<const double*>(data_)[i] : double{static_cast<const float*>(data_)[i]};
  }

 private:
  const void* data_ = nullptr;
  bool wide_ = true;
};

}  // namespace sampled_softmax
