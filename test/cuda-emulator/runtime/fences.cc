#include "runtime/fences.h"

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runtime/lane.h"
#include "runtime/memory.h"

namespace cuemu {
namespace {

// What one atomic hands over: all that its block did before its last barrier, and what its own thread did until then.
struct Release {
  Instant block, barrier, time;
  unsigned thread;
};
using Releases = std::vector<Release>;  // in order of time: blocks run one after another

struct Seen {
  std::shared_ptr<const Releases> releases;
  size_t count;  // those that had been made when it was seen
};

auto& by_word = *new std::unordered_map<uint64_t, std::shared_ptr<Releases>>;
auto& acquired = *new std::vector<Seen>;                                 // by this block
auto& seen_by_atomics = *new std::vector<Seen>;                          // by this block, though no fence followed
auto& seen_by_thread = *new std::array<std::vector<Seen>, kMaxThreads>;  // and waits for a fence of the thread
bool fenced[kMaxThreads];

bool covers(const Seen& seen, Instant time, unsigned thread) {
  const auto end = seen.releases->begin() + ptrdiff_t(seen.count);
  // releases of one block follow each other; the access belongs to the last block that started before it
  auto it =
      std::upper_bound(seen.releases->begin(), end, time, [](Instant t, const Release& r) { return t < r.block; });
  if (it == seen.releases->begin()) return false;
  const Instant block = std::prev(it)->block;
  while (it != seen.releases->begin() && (--it)->block == block)
    if (time < it->barrier || (it->thread == thread && time <= it->time)) return true;
  return false;
}

bool any_covers(const std::vector<Seen>& all, Instant time, unsigned thread) {
  return std::any_of(all.begin(), all.end(), [&](const Seen& s) { return covers(s, time, thread); });
}

}  // namespace

void start_launch_fences() { by_word.clear(); }

void start_block_fences() {
  acquired.clear();
  seen_by_atomics.clear();
  for (unsigned i = 0; i < launch.threads; ++i) {
    seen_by_thread[i].clear();
    fenced[i] = false;
  }
}

void fence() {
  auto& mine = seen_by_thread[self->linear];
  acquired.insert(acquired.end(), mine.begin(), mine.end());
  mine.clear();
  fenced[self->linear] = true;
}

void strong_access(uint64_t address, Access access, bool acquire, bool release) {
  const unsigned me = self->linear;
  const bool hands_over = access != Access::Read && (release || fenced[me]);
  if (!is_device_address(address) || (by_word.empty() && !hands_over)) return;
  auto it = by_word.find(address);
  if (access != Access::Write && it != by_word.end()) {
    const Seen seen{it->second, it->second->size()};
    seen_by_atomics.push_back(seen);
    (acquire ? acquired : seen_by_thread[me]).push_back(seen);
  }
  if (!hands_over) return;
  if (it == by_word.end()) it = by_word.emplace(address, std::make_shared<Releases>()).first;
  it->second->push_back({times.block, times.barrier, times.now, me});
}

bool handed_over(Instant time, unsigned thread, bool to_strong_access) {
  return any_covers(to_strong_access ? seen_by_atomics : acquired, time, thread);
}

}  // namespace cuemu
