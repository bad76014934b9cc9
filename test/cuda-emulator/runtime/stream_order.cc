#include "runtime/stream_order.h"

#include <mutex>

#include "runtime/findings.h"
#include "runtime/races.h"
#include "runtime/runtime.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

constexpr size_t kRemembered = 256;  // copies and fills of one allocation

std::string bytes_of(const Allocation& a) { return std::to_string(a.size) + " bytes"; }

void check_lifetime(const Allocation& a, const char* user) {
  const Running& now = running();
  const std::string uses = std::string(user) + " uses " + bytes_of(a);
  if (!now.clock.has(a.allocated)) report("order", 0, uses + " that another stream allocates, without waiting for it");
  if (!a.freed.seq) return;
  if (now.clock.has(a.freed)) report("order", 0, uses + " that have been freed before, in stream order");
  else if (!a.freed_clock.has(now.moment))
    report("order", 0, uses + " that another stream frees, and neither waits for the other");
}

void remember_use(Allocation& a, const Moment& moment) {
  for (Moment& m : a.uses)
    if (m.stream == moment.stream) {
      m.seq = std::max(m.seq, moment.seq);
      return;
    }
  a.uses.push_back(moment);
}

bool overlap(const CopyAccess& a, uint64_t begin, uint64_t end) { return a.begin < end && begin < a.end; }

void check_against_copies(const Allocation& a, const CopyAccess& mine) {
  for (const CopyAccess& other : a.copies)
    if ((mine.writes || other.writes) && overlap(other, mine.begin, mine.end) && !mine.clock.has(other.moment))
      report("order", 0,
             "two copies or fills touch the same memory in different streams, and neither waits for the other");
}

void remember_copy(Allocation& a, const CopyAccess& mine) {
  auto& all = a.copies;
  std::erase_if(all, [&](const CopyAccess& other) {  // whoever conflicts with it conflicts with the new one
    return mine.begin <= other.begin && other.end <= mine.end && mine.clock.has(other.moment) &&
           (mine.writes || !other.writes);
  });
  if (all.size() == kRemembered) all.erase(all.begin());
  all.push_back(mine);
}

}  // namespace

void note_use(const void* p, const Moment& moment) {
  if (Allocation* a = find_allocation(p)) remember_use(*a, moment);
}

void note_free(Allocation& a, const Moment& moment, const Clock& clock) {
  a.freed = moment;
  a.freed_clock = clock;
  if (!clock.has(a.allocated))
    report("order", 0,
           bytes_of(a) + " are freed on another stream than the one that allocates them, without waiting for it");
  for (const Moment& m : a.uses)
    if (!clock.has(m)) report("order", 0, bytes_of(a) + " are freed while another stream may still use them");
}

void note_host_free(const Allocation& a) {
  for (const Moment& m : a.uses)
    if (!known().has(m)) report("order", 0, "cudaFree of stream-ordered memory that a stream may still use");
}

bool copy_touches(const void* p, uint64_t bytes, bool writes) {
  Allocation* a = find_allocation(p);
  if (!a || !bytes) return true;
  const auto begin = reinterpret_cast<uint64_t>(p);
  std::lock_guard lock(runtime_mutex());
  check_lifetime(*a, "a copy or a fill");
  if (!a->live) {
    if (!a->freed.seq) report("order", 0, "a copy or a fill uses " + bytes_of(*a) + " that cudaFree has freed");
    return false;
  }
  const CopyAccess mine{begin, begin + bytes, writes, running().moment, running().clock};
  check_against_copies(*a, mine);
  remember_copy(*a, mine);
  if (touched_by_unordered_kernel(begin, bytes, writes))
    report("order", 0,
           "a copy or a fill and a kernel in another stream touch the same memory, and neither waits for the other");
  return true;
}

void kernel_uses(Allocation& a) {
  std::lock_guard lock(runtime_mutex());
  check_lifetime(a, "a kernel");
  remember_use(a, running().moment);
  a.unordered.clear();
  for (const CopyAccess& other : a.copies)
    if (!running().clock.has(other.moment)) a.unordered.push_back(other);
}

void kernel_touches(const Allocation& a, uint32_t site, uint64_t address, unsigned size, bool writes) {
  for (const CopyAccess& other : a.unordered)
    if ((writes || other.writes) && overlap(other, address, address + size))
      return report(
          "order", site,
          "a kernel and a copy or a fill in another stream touch the same memory, and neither waits for the other");
}

}  // namespace cuemu
