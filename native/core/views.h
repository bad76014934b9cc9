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

// Ids in as few bytes as they need.
class IdVector {
 public:
  IdVector() = default;
  IdVector(size_t size, bool wide) : is_wide_(wide), wide_(wide ? size : 0), narrow_(wide ? 0 : size) {}

  size_t size() const { return wide_.size() + narrow_.size(); }
  bool wide() const { return is_wide_; }
  const void* data() const { return is_wide_ ? static_cast<const void*>(wide_.data()) : narrow_.data(); }
  Ids view() const { return is_wide_ ? Ids(wide_.data()) : Ids(narrow_.data()); }
  int64_t operator[](size_t i) const { return is_wide_ ? wide_[i] : narrow_[i]; }
  void set(size_t i, int64_t id) {
    if (is_wide_) wide_[i] = id;
    else narrow_[i] = static_cast<int32_t>(id);
  }

 private:
  bool is_wide_ = false;
  std::vector<int64_t> wide_;
  std::vector<int32_t> narrow_;
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
