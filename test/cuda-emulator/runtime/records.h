// What the race check remembers of each place in memory.
#pragma once
#include <cstdint>

#include "runtime/order.h"

namespace cuemu {

enum RecordFlags : uint8_t {
  StrongWrite = 1,  // the last write
  StrongReads = 2,  // all the reads that are remembered
  ReadOnlyLoad = 4,
  InFlight = 8,  // a cp.async fills it
};

constexpr uint16_t kSeveralLanes = 0x8000;  // as a reader: + the warp
constexpr uint16_t kSeveralWarps = 0xffff;

// Who touched a place last. One writer is enough, since every write is checked against it. Reads need no order among
// each other, so there may be many: those of this block since its last barrier are kept as a set of lanes or as
// "several warps"; of those in other blocks and streams that are not ordered with this block, the time of the last.
struct Record {
  Instant write, read, foreign_read;
  uint32_t read_lanes;
  uint16_t writer, reader;
  uint8_t flags;

  void set(RecordFlags flag, bool on) { flags = uint8_t(on ? flags | flag : flags & ~flag); }
};

// The records of a range of memory: one for each word, or for each byte in pages where part of a word has been touched,
// as neighbouring halves may belong to different threads.
class Records {
 public:
  bool empty() const { return !pages_; }
  void cover(uint64_t begin, uint64_t bytes);
  void forget(uint64_t begin, uint64_t bytes);  // whole pages
  void forget_all() { forget(begin_, bytes_); }

  template <class Visit>
  void each(uint64_t address, uint64_t bytes, Visit visit) {
    for (uint64_t at = address - begin_, end = at + bytes; at < end;) {
      if (FinePage* fine = fine_pages_[at / kPage]) {
        visit(fine->byte[at++ % kPage]);
      } else if (at % 4 == 0 && end - at >= 4) {
        visit(pages_[at / kPage].word[at % kPage / 4]);
        at += 4;
      } else {
        refine(at / kPage);
      }
    }
  }

 private:
  static constexpr uint64_t kPage = 4096;
  struct Page {
    Record word[kPage / 4];
  };
  struct FinePage {
    Record byte[kPage];
  };

  void refine(uint64_t page);

  uint64_t begin_ = 0, bytes_ = 0;
  Page* pages_ = nullptr;
  FinePage** fine_pages_ = nullptr;
};

}  // namespace cuemu
