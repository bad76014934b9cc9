// The words of a Philox stream one after another, and TensorFlow's ways of making numbers of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/random/philox.h"
#include "core/samplers/kernels.h"

namespace sampled_softmax {

class WordStream {
 public:
  explicit WordStream(const Philox& from) : philox_(from), kernels_(draw_kernels()) {}

  uint32_t next32() {
    if (at_ == kWords) refill();
    return words_[at_++];
  }
  uint64_t next64() {
    const uint64_t low = next32();
    return low | static_cast<uint64_t>(next32()) << 32;
  }

  // What `count` calls of next64() give. Needs an even number of words taken so far.
  void pairs(uint64_t* out, size_t count) {
    while (count) {
      if (at_ == kWords) refill();
      const size_t take = (kWords - at_) / 2 < count ? (kWords - at_) / 2 : count;
      for (size_t i = 0; i < take; ++i) {
        out[i] = words_[at_ + 2 * i] | static_cast<uint64_t>(words_[at_ + 2 * i + 1]) << 32;
      }
      at_ += 2 * take;
      out += take;
      count -= take;
    }
  }

  // [0, 1) in steps of 2^-23.
  float next_float() {
    const uint32_t bits = 0x3f800000u | (next32() & 0x7fffffu);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value - 1.0f;
  }

  // Uniform in [0, n), exactly: a draw that would favour small results is thrown away.
  uint32_t uniform32(uint32_t n) {
    if ((n & (n - 1)) == 0) return next32() & (n - 1);
    const uint32_t skewed = UINT32_MAX % n + 1;
    uint32_t draw;
    do {
      draw = next32();
    } while (draw < skewed);
    return draw % n;
  }

 private:
  static constexpr size_t kWords = 64;

  void refill() {
    for (size_t i = 0; i < kWords; i += 32) {
      if (philox_.counter_low <= UINT64_MAX - 8) {
        kernels_.philox8(philox_.key, philox_.counter_low, philox_.counter_high, words_ + i);
        philox_.counter_low += 8;
      } else {
        philox_next(philox_, words_ + i, 8);
      }
    }
    at_ = 0;
  }

  Philox philox_;
  const DrawKernels& kernels_;
  size_t at_ = kWords;
  uint32_t words_[kWords];
};

}  // namespace sampled_softmax
