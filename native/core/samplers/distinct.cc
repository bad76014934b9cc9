#include "core/samplers/distinct.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace sampled_softmax {
namespace {

// What a thread keeps from draw to draw.
constexpr size_t kKept = size_t{16} << 20;
// So many slots no longer lie in a cache near the processor.
constexpr size_t kManySlots = size_t{1} << 18;

// A bitmap is taken up to 256 bytes per class of the sample or 4 MiB, whichever is less, and in any case up to 32 bytes
// per class. 10 million classes, S = 8192: 103 us a draw instead of 160.
bool bitmap_is_small(size_t bytes, size_t capacity) {
  return bytes / 32 <= capacity || (bytes / 256 <= capacity && bytes <= size_t{4} << 20);
}

struct Bitmap {
  uint64_t* words;

  bool insert(int64_t id) const {
    const uint64_t key = static_cast<uint64_t>(id), bit = uint64_t{1} << key % 64;
    uint64_t& word = words[key / 64];
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }
  void prefetch(int64_t) const {}
};

// Open addressing: id + 1 in a slot, 0 where it is empty.
template <typename Slot>
class HashSet {
 public:
  HashSet(void* slots, size_t size) : slots_(static_cast<Slot*>(slots)), size_(size) {}

  bool insert(int64_t id) const {
    const Slot wanted = wanted_of(id);
    size_t at = first_of(wanted);
    Slot found = slots_[at];
    while (found != 0 && found != wanted) {
      at = at + 1 == size_ ? 0 : at + 1;
      found = slots_[at];
    }
    slots_[at] = wanted;
    return found == 0;
  }
  void prefetch(int64_t id) const { __builtin_prefetch(slots_ + first_of(wanted_of(id)), 1); }

 private:
  static Slot wanted_of(int64_t id) { return static_cast<Slot>(static_cast<uint64_t>(id) + 1); }
  // Fibonacci hashing: the upper bits of the product depend on all bits of the id.
  size_t first_of(uint64_t wanted) const { return (wanted * 0x9E3779B97F4A7C15u >> 32) * size_ >> 32; }

  Slot* slots_;
  size_t size_;
};

}  // namespace

DistinctClasses& DistinctClasses::of_this_thread() {
  thread_local DistinctClasses classes;
  return classes;
}

template <typename Use>
auto DistinctClasses::with_set(Use use) {
  void* data = memory_.get();
  switch (form_) {
    case Form::narrow_slots: return use(HashSet<uint32_t>(data, slots_));
    case Form::wide_slots: return use(HashSet<uint64_t>(data, slots_));
    default: return use(Bitmap{static_cast<uint64_t*>(data)});
  }
}

void DistinctClasses::start(int64_t range, int64_t capacity) {
  const size_t classes = static_cast<size_t>(capacity);
  const bool narrow = range <= UINT32_MAX;
  const size_t slot = narrow ? sizeof(uint32_t) : sizeof(uint64_t);
  // A quarter full; where that takes more than what is kept, up to two thirds.
  slots_ = std::max(std::min(4 * classes, kKept / slot), classes + classes / 2 + 1);
  const size_t bitmap = (static_cast<size_t>(range) / 64 + 1) * 8, table = slots_ * slot;
  const bool small = bitmap <= kKept && bitmap_is_small(bitmap, classes);
  form_ = small || bitmap <= table ? Form::bitmap : narrow ? Form::narrow_slots : Form::wide_slots;
  const size_t bytes = form_ == Form::bitmap ? bitmap : table;
  if (memory_ && memory_.get_deleter().bytes >= bytes) return;
  memory_.reset();
  memory_ = {map_zeroed(bytes), Unmap{bytes}};
  if (!memory_) throw std::bad_alloc();
}

bool DistinctClasses::insert(int64_t id) {
  return with_set([=](auto set) { return set.insert(id); });
}

size_t DistinctClasses::keep_new(const int64_t* candidates, size_t length, int64_t* kept, size_t* count, size_t limit) {
  return with_set([=, many = slots_ > kManySlots](auto set) {
    // The branches of a hash set are hard to predict, so that of its cache misses few would overlap.
    if (many) {
      for (size_t i = 0; i < length; ++i) set.prefetch(candidates[i]);
    }
    size_t i = 0, held = *count;
    for (; i < length && held < limit; ++i) {
      kept[held] = candidates[i];
      held += set.insert(candidates[i]) ? 1 : 0;
    }
    *count = held;
    return i;
  });
}

void DistinctClasses::forget(const int64_t* ids, size_t length) {
  if (memory_.get_deleter().bytes > kKept) memory_.reset();
  if (!memory_) return;
  // memset: the words may be slots of 32 bits next time.
  char* data = static_cast<char*>(memory_.get());
  switch (form_) {
    case Form::bitmap:
      for (size_t i = 0; i < length; ++i) std::memset(data + ids[i] / 64 * 8, 0, 8);
      return;
    // Slots cannot be emptied one by one: a chain of probes may run through them.
    case Form::narrow_slots: std::memset(data, 0, slots_ * sizeof(uint32_t)); return;
    case Form::wide_slots: std::memset(data, 0, slots_ * sizeof(uint64_t)); return;
  }
}

}  // namespace sampled_softmax
