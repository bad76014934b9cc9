#include "core/accidental_hits.h"

namespace sampled_softmax {
namespace {

constexpr int32_t kNone = -1;

// The positions of each sampled class, as chains through a hash table of first positions.
class Positions {
 public:
  Positions(const int64_t* sampled, size_t length, bool last_only) : sampled_(sampled), next_(length, kNone) {
    int bits = 4;
    while ((size_t{1} << bits) < 2 * length) ++bits;
    shift_ = 64 - bits;
    first_.assign(size_t{1} << bits, kNone);
    // From the back, so that chains run forward; with last_only what stands before the last copy is not
    // entered.
    for (size_t i = length; i-- > 0;) {
      int32_t& head = first_[slot_of(sampled[i])];
      if (last_only && head != kNone) continue;
      next_[i] = head;
      head = static_cast<int32_t>(i);
    }
  }

  int32_t first(int64_t id) const { return first_[slot_of(id)]; }
  int32_t next(int32_t position) const { return next_[static_cast<size_t>(position)]; }

 private:
  size_t slot_of(int64_t id) const {
    size_t slot = static_cast<size_t>(static_cast<uint64_t>(id) * 0x9E3779B97F4A7C15u >> shift_);
    while (first_[slot] != kNone && sampled_[first_[slot]] != id) slot = (slot + 1) & (first_.size() - 1);
    return slot;
  }

  const int64_t* sampled_;
  int shift_;
  std::vector<int32_t> first_, next_;
};

}  // namespace

AccidentalHits find_accidental_hits(const int64_t* true_classes, size_t num_true_classes, size_t num_true,
                                    const int64_t* sampled, size_t num_sampled, bool last_only) {
  const Positions positions(sampled, num_sampled, last_only);
  AccidentalHits hits;
  for (size_t i = 0; i < num_true_classes; ++i) {
    for (int32_t at = positions.first(true_classes[i]); at != kNone; at = positions.next(at)) {
      hits.rows.push_back(static_cast<int32_t>(i / num_true));
      hits.positions.push_back(at);
    }
  }
  return hits;
}

}  // namespace sampled_softmax
