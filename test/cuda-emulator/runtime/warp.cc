#include "runtime/warp.h"

#include <algorithm>
#include <string>

#include "runtime/collective.h"
#include "runtime/findings.h"
#include "runtime/order.h"

namespace cuemu {
namespace {

constexpr unsigned kLanes = 32;

template <class T>
const T& in(const LaneData& lane) {
  return *static_cast<const T*>(lane.in);
}
template <class T>
T& out(const LaneData& lane) {
  return *static_cast<T*>(lane.out);
}
template <class Visit>
void each_lane(uint32_t mask, Visit visit) {
  for (unsigned i = 0; i < kLanes; ++i)
    if (mask >> i & 1) visit(i);
}

struct ShuffleInput {
  uint32_t value, b, c;
};

// The source lane, by the PTX ISA: `c` holds the last lane of a segment (bits 0 to 4) and which bits of a lane's number
// name its segment (bits 8 to 12).
struct Source {
  int lane;
  bool in_range;
};
Source source_of(Shuffle kind, int lane, uint32_t b, uint32_t c) {
  const int distance = int(b & 31), clamp = int(c & 31), segment = int(c >> 8 & 31);
  const int last = (lane & segment) | (clamp & ~segment), first = lane & segment;
  int from = 0;
  bool in_range = false;
  switch (kind) {
    case Shuffle::Index:
      from = first | (distance & ~segment);
      in_range = from <= last;
      break;
    case Shuffle::Up:
      from = lane - distance;
      in_range = from >= last;
      break;
    case Shuffle::Down:
      from = lane + distance;
      in_range = from <= last;
      break;
    case Shuffle::Butterfly:
      from = lane ^ distance;
      in_range = from <= last;
      break;
  }
  return {in_range ? from : lane, in_range};
}

void run_shuffle(const LaneData* lanes, uint32_t present, uint64_t kind) {
  each_lane(present, [&](unsigned i) {
    const auto& input = in<ShuffleInput>(lanes[i]);
    const Source source = source_of(Shuffle(kind), int(i), input.b, input.c);
    if (present >> source.lane & 1) {
      out<Shuffled>(lanes[i]) = {in<ShuffleInput>(lanes[source.lane]).value, source.in_range};
      return;
    }
    report("synccheck", 0,
           "a shuffle reads lane " + std::to_string(source.lane) + ", which is not in the mask or has exited");
    out<Shuffled>(lanes[i]) = {~0u, false};
  });
}

void run_ballot(const LaneData* lanes, uint32_t present, uint64_t) {
  uint32_t yes = 0;
  each_lane(present, [&](unsigned i) { yes |= uint32_t(in<bool>(lanes[i])) << i; });
  each_lane(present, [&](unsigned i) { out<uint32_t>(lanes[i]) = yes; });
}

void run_match_any(const LaneData* lanes, uint32_t present, uint64_t) {
  each_lane(present, [&](unsigned i) {
    uint32_t same = 0;
    each_lane(present, [&](unsigned j) { same |= uint32_t(in<uint64_t>(lanes[i]) == in<uint64_t>(lanes[j])) << j; });
    out<uint32_t>(lanes[i]) = same;
  });
}

void run_match_all(const LaneData* lanes, uint32_t present, uint64_t) {
  bool all = true;
  each_lane(present, [&](unsigned i) {
    each_lane(present, [&](unsigned j) { all &= in<uint64_t>(lanes[i]) == in<uint64_t>(lanes[j]); });
  });
  each_lane(present, [&](unsigned i) { out<Matched>(lanes[i]) = {all ? present : 0, all}; });
}

uint32_t combine(Reduce kind, uint32_t a, uint32_t b) {
  switch (kind) {
    case Reduce::Add: return a + b;
    case Reduce::MinSigned: return uint32_t(std::min(int32_t(a), int32_t(b)));
    case Reduce::MaxSigned: return uint32_t(std::max(int32_t(a), int32_t(b)));
    case Reduce::MinUnsigned: return std::min(a, b);
    case Reduce::MaxUnsigned: return std::max(a, b);
    case Reduce::And: return a & b;
    case Reduce::Or: return a | b;
    case Reduce::Xor: return a ^ b;
  }
  return 0;
}

void run_reduce(const LaneData* lanes, uint32_t present, uint64_t kind) {
  bool first = true;
  uint32_t result = 0;
  each_lane(present, [&](unsigned i) {
    const uint32_t value = in<uint32_t>(lanes[i]);
    result = first ? value : combine(Reduce(kind), result, value);
    first = false;
  });
  each_lane(present, [&](unsigned i) { out<uint32_t>(lanes[i]) = result; });
}

void run_syncwarp(const LaneData*, uint32_t present, uint64_t warp) { order_lanes(unsigned(warp), present); }

}  // namespace

void syncwarp(uint32_t mask) { collective(mask, run_syncwarp, self->warp, nullptr, nullptr, "__syncwarp"); }

Shuffled shuffle(Shuffle kind, uint32_t mask, uint32_t value, uint32_t b, uint32_t c) {
  const ShuffleInput input{value, b, c};
  Shuffled result{};
  collective(mask, run_shuffle, uint64_t(kind), &input, &result, "a shuffle");
  return result;
}

uint32_t ballot(uint32_t mask, bool predicate) {
  uint32_t result = 0;
  collective(mask, run_ballot, 0, &predicate, &result, "a vote");
  return result;
}

uint32_t match_any(uint32_t mask, uint64_t value) {
  uint32_t result = 0;
  collective(mask, run_match_any, 0, &value, &result, "match.any");
  return result;
}

Matched match_all(uint32_t mask, uint64_t value) {
  Matched result{};
  collective(mask, run_match_all, 0, &value, &result, "match.all");
  return result;
}

uint32_t reduce(Reduce kind, uint32_t mask, uint32_t value) {
  uint32_t result = 0;
  collective(mask, run_reduce, uint64_t(kind), &value, &result, "redux");
  return result;
}

}  // namespace cuemu
