// Values of any dtype that a table takes: the caller's memory, or a copy of it.
#pragma once

#include <napi.h>

#include <cstring>
#include <memory>

#include "addon/arguments.h"
#include "core/dtype.h"

namespace sampled_softmax {

class ReadOnlyValues {
 public:
  ReadOnlyValues(Napi::Env env, napi_value value, size_t length, bool copied)
      : dtype_(static_cast<DType>(get_size(env, value, "dtype"))) {
    const TypedArray array = read_typed_array(env, get(env, value, "data"), "values");
    if (array.bytes() != length * size_of(dtype_)) throw_internal(env, "values: wrong length");
    data_ = array.data;
    if (!copied || array.bytes() == 0) return;
    copy_.reset(new char[array.bytes()]);
    std::memcpy(copy_.get(), array.data, array.bytes());
    data_ = copy_.get();
  }
  const void* data() const { return data_; }
  DType dtype() const { return dtype_; }

 private:
  DType dtype_;
  const void* data_;
  std::unique_ptr<char[]> copy_;
};

}  // namespace sampled_softmax
