// The generator behind a schedule of CUEMU_ORDER=rand, and behind CUEMU_NOISE.
#pragma once
#include <cstdint>

namespace cuemu {

class Random {  // xorshift64: fast, and good enough to shuffle with
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 0x1234567) {}
  uint64_t operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  uint64_t below(uint64_t n) { return (*this)() % n; }

 private:
  uint64_t state_;
};

}  // namespace cuemu
