#include "runtime/races.h"

#include <algorithm>
#include <string>

#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/memory.h"
#include "runtime/order.h"
#include "runtime/records.h"

namespace cuemu {
namespace {

Records global_records, shared_records;

Records& records(bool shared) {
  Records& r = shared ? shared_records : global_records;
  if (r.empty()) shared ? r.cover(shared_begin, kSharedBytes) : r.cover(arena_begin, kArenaBytes);
  return r;
}

// ---- the order with what a record remembers

Order order_with_write(const Record& r, const Touch& t) {
  if (r.write >= times.block) return order_with_thread(r.write, r.writer, Earlier::Write);
  return t.shared ? Order::Ordered : order_with_earlier(r.write, r.writer, t.strong);
}

Order order_with_reads(const Record& r, const Touch& t) {
  if (r.read < times.block) return t.shared ? Order::Ordered : order_with_earlier(r.read, r.reader, t.strong);
  if (r.reader == kSeveralWarps) return order_with_any_thread(r.read);
  if (r.reader >= kSeveralLanes) return order_with_loads(r.read, r.reader - kSeveralLanes, r.read_lanes);
  return order_with_thread(r.read, r.reader, Earlier::Load);
}

Order order_with_foreign_reads(const Record& r, const Touch& t) {
  return t.shared ? Order::Ordered : order_with_earlier(r.foreign_read, kSeveralWarps, t.strong);
}

// ---- findings

std::string offset_of(const Touch& t) {
  const uint64_t begin = t.shared ? shared_begin : arena_begin;
  char text[48];
  std::snprintf(text, sizeof text, "%s offset %#llx", t.shared ? "shared" : "global",
                static_cast<unsigned long long>(t.address - begin));
  return text;
}

std::string by(Order order, uint16_t thread) {
  if (order == Order::OtherStream) return "a kernel in another stream, and neither waits for the other";
  if (order == Order::OtherBlock) return "another block";
  if (thread == kSeveralWarps) return "several warps";
  if (thread >= kSeveralLanes) return "several lanes of warp " + std::to_string(thread - kSeveralLanes);
  return "thread " + std::to_string(thread);
}

void report_race(const char* what, Order order, uint16_t thread, bool mixed, const Touch& t) {
  report(mixed ? "mixed" : "race", t.site,
         std::string(what) + " by " + by(order, thread) + (mixed ? " (one of them atomic, the other not), " : ", ") +
             offset_of(t));
}

// ---- the checks

void check_against_write(const Record& r, const Touch& t) {
  const bool strong_write = r.flags & StrongWrite;
  if (t.strong && strong_write) return;
  if (const Order order = order_with_write(r, t); order != Order::Ordered)
    report_race(t.access == Access::Read ? "read after an unordered write" : "write after an unordered write", order,
                r.writer, t.strong || strong_write, t);
}

void check_against_reads(const Record& r, const Touch& t) {
  const bool strong_reads = r.flags & StrongReads;
  if (t.strong && strong_reads) return;
  if (const Order order = order_with_reads(r, t); order != Order::Ordered)
    report_race("write after an unordered read", order, r.reader, t.strong || strong_reads, t);
  else if (const Order foreign = order_with_foreign_reads(r, t); foreign != Order::Ordered)
    report_race("write after an unordered read", foreign, kSeveralWarps, t.strong || strong_reads, t);
}

void check_read_only_loads(const Record& r, const Touch& t) {
  constexpr const char* kWhy =
      " memory that the same launch writes: it has been promised not to (const __restrict__, __ldg)";
  if (t.read_only_load && r.write >= times.launch) report("stale", t.site, std::string("read-only load of") + kWhy);
  if (t.access != Access::Read && r.flags & ReadOnlyLoad && r.read >= times.launch)
    report("stale", t.site, std::string("write after a read-only load of") + kWhy);
}

bool by_own_warp(const Record& r) {
  return r.reader < kSeveralLanes ? r.reader / kWarp == self->warp : r.reader == kSeveralLanes + self->warp;
}

void remember_read(Record& r, const Touch& t) {
  const bool ordered = order_with_reads(r, t) == Order::Ordered;
  const bool first = ordered || r.read < times.block;  // since the last barrier, in this block
  if (!ordered && first) r.foreign_read = r.read;
  if (first) r.set(ReadOnlyLoad, false), r.set(StrongReads, true);
  r.reader = first ? uint16_t(self->linear) : by_own_warp(r) ? uint16_t(kSeveralLanes + self->warp) : kSeveralWarps;
  r.read_lanes = (first ? 0 : r.read_lanes) | 1u << self->lane;
  r.read = times.now;
  if (!t.strong) r.set(StrongReads, false);
  if (t.read_only_load) r.set(ReadOnlyLoad, true);
}

void remember_write(Record& r, const Touch& t) {
  r.write = times.now;
  r.writer = uint16_t(self->linear);
  r.set(StrongWrite, t.strong);
}

void check(Record& r, const Touch& t) {
  if (r.flags & InFlight)
    report("race", t.site,
           "shared memory is touched while a cp.async fills it: its group has not been waited for, " + offset_of(t));
  if (t.shared && t.access != Access::Write && r.write < times.block)
    report("initcheck", t.site, "shared memory is read before anything wrote it, " + offset_of(t));
  check_read_only_loads(r, t);
  check_against_write(r, t);
  if (t.access == Access::Read) return remember_read(r, t);
  check_against_reads(r, t);
  remember_write(r, t);
}

}  // namespace

void check_races(const Touch& t) {
  records(t.shared).each(t.address, t.size, [&](Record& r) { check(r, t); });
}

void mark_in_flight(uint64_t address, unsigned bytes, bool in_flight) {
  records(true).each(address, bytes, [&](Record& r) { r.set(InFlight, in_flight); });
}

void forget_accesses(uint64_t first, uint64_t bytes) { global_records.forget(first, bytes); }

void forget_all_accesses() {
  global_records.forget_all();
  shared_records.forget_all();
}

bool touched_by_unordered_kernel(uint64_t address, uint64_t bytes, bool reads_too) {
  const Instant first = first_unordered_launch();
  if (global_records.empty() || first > times.now) return false;
  bool touched = false;
  const auto look = [&](Instant time) { touched |= time >= first && by_unordered_launch(time); };
  global_records.each(address, bytes, [&](const Record& r) {
    look(r.write);
    if (reads_too) look(r.read), look(r.foreign_read);
  });
  return touched;
}

}  // namespace cuemu
