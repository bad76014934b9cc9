// Ids and expected counts where they lie, in either width: JavaScript's arrays are read in place.
#pragma once

#include <cstdint>

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
