#include "runtime/async_copy.h"

#include <cstring>

#include "runtime/lane.h"
#include "runtime/memory.h"
#include "runtime/races.h"
#include "runtime/settings.h"

namespace cuemu {
namespace {

void move_bytes(const AsyncCopy& c) {
  std::memcpy(c.to, storage(c.from), c.filled);
  std::memset(c.to + c.filled, 0, c.bytes - c.filled);
}

uint64_t target(const AsyncCopy& c) { return reinterpret_cast<uint64_t>(c.to); }

void land(const AsyncCopy& c) {
  if (!settings().early_copies) move_bytes(c);
  if (!c.site) return;
  mark_in_flight(target(c), c.bytes, false);
  check_races({c.site, target(c), c.bytes, Access::Write, false, false, true});  // as if it were written here and now
}

}  // namespace

void start_copy(char* to, const char* from, unsigned bytes, unsigned filled, uint32_t site) {
  const AsyncCopy c{to, from, bytes, std::min(bytes, filled), site};
  if (settings().early_copies) move_bytes(c);
  if (site) mark_in_flight(target(c), bytes, true);
  running_lane->open_copies.push_back(c);
}

void commit_copies() {
  running_lane->copy_groups.push_back(std::move(running_lane->open_copies));
  running_lane->open_copies.clear();
}

void wait_for_copies(unsigned but) {
  auto& groups = running_lane->copy_groups;
  const auto end = groups.end() - ptrdiff_t(std::min(size_t(but), groups.size()));
  for (auto group = groups.begin(); group != end; ++group)
    for (const AsyncCopy& c : *group) land(c);
  groups.erase(groups.begin(), end);
}

void drop_copies(Lane& lane) {
  lane.copy_groups.push_back(std::move(lane.open_copies));
  for (const auto& group : lane.copy_groups)
    for (const AsyncCopy& c : group)
      if (c.site) mark_in_flight(target(c), c.bytes, false);
  lane.copy_groups.clear();
  lane.open_copies.clear();
}

}  // namespace cuemu
