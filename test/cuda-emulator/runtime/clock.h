// Which operations of which streams have happened before: a vector clock over streams.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cuemu {

// The seq-th operation of a stream. Numbers of streams are used again, with seq going on where the last one ended; seq
// 0 is before everything.
struct Moment {
  size_t stream = 0;
  uint64_t seq = 0;
};

class Clock {
 public:
  bool has(const Moment& m) const { return m.seq == 0 || (m.stream < seen_.size() && seen_[m.stream] >= m.seq); }
  void add(const Moment& m) {
    if (m.stream >= seen_.size()) seen_.resize(m.stream + 1);
    seen_[m.stream] = std::max(seen_[m.stream], m.seq);
  }
  void add(const Clock& other) {
    for (size_t i = 0; i < other.seen_.size(); ++i) add({i, other.seen_[i]});
  }

 private:
  std::vector<uint64_t> seen_;
};

}  // namespace cuemu
