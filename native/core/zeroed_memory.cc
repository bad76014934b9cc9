#include "core/zeroed_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include "core/memory_limit.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace sampled_softmax {
namespace {

// What an object of 0 bytes points to.
alignas(64) char nothing[64];

// All live objects; also makes check and allocation one step. Leaked: tables may outlive static destructors.
std::mutex& live_mutex() {
  static std::mutex* mutex = new std::mutex;
  return *mutex;
}
std::vector<const ZeroedMemory*>& live() {
  static auto* list = new std::vector<const ZeroedMemory*>;
  return *list;
}

#if defined(__linux__)

// Pages given out and not touched yet: the system still counts them as available.
size_t untouched(const ZeroedMemory& memory) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), chunk = page << 18;
  std::vector<unsigned char> resident(std::min(chunk, memory.bytes() + page - 1) / page);
  size_t pages = 0;
  for (size_t at = 0; at < memory.bytes(); at += chunk) {
    const size_t length = std::min(chunk, memory.bytes() - at), count = (length + page - 1) / page;
    if (mincore(static_cast<char*>(memory.data()) + at, length, resident.data()) != 0) continue;
    pages += static_cast<size_t>(std::count_if(resident.begin(), resident.begin() + static_cast<std::ptrdiff_t>(count),
                                               [](unsigned char bits) { return (bits & 1) == 0; }));
  }
  return pages * page;
}

#else

size_t untouched(const ZeroedMemory&) { return 0; }

#endif

double gibibytes(size_t bytes) { return static_cast<double>(bytes) / (1 << 30); }

}  // namespace

#if defined(__linux__)

// Random rows of a big table are a TLB miss each with pages of 4 KiB. Memory starts at a multiple of a huge page, so
// that the first and last of its rows have them too.
constexpr size_t kHugePage = size_t{1} << 21;

void* map_zeroed(size_t bytes) {
  const bool huge = bytes >= kHugePage;
  const size_t reserved = huge ? bytes + kHugePage : bytes;
  void* base = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  if (!huge) return base;
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(base);
  const uintptr_t aligned = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (aligned + bytes + page - 1) / page * page;
  const uintptr_t reserved_end = (begin + reserved + page - 1) / page * page;
  if (aligned > begin) munmap(base, aligned - begin);
  if (reserved_end > end) munmap(reinterpret_cast<void*>(end), reserved_end - end);
  void* memory = reinterpret_cast<void*>(aligned);
  madvise(memory, bytes, MADV_HUGEPAGE);  // advice: a kernel without huge pages refuses it
  return memory;
}

void unmap_zeroed(void* memory, size_t bytes) { munmap(memory, bytes); }

#else

void* map_zeroed(size_t bytes) { return std::calloc((bytes + 63) / 64, 64); }
void unmap_zeroed(void* memory, size_t) { std::free(memory); }

#endif

Status ZeroedMemory::allocate(size_t bytes, const char* what) try {
  if (bytes == 0) {
    data_ = nothing;
    return {};
  }
  std::lock_guard<std::mutex> lock(live_mutex());
  const AvailableMemory available = available_memory("/");
  size_t left = static_cast<size_t>(available.bytes);
  if (left < SIZE_MAX / 2) {
    size_t promised = 0;
    for (const ZeroedMemory* memory : live()) promised += untouched(*memory);
    left -= std::min(left, promised);
  }
  if (bytes > left) {
    return Status::error(Code::out_of_memory, "%s: needs %zu bytes (%.3g GiB), but %s has %zu bytes (%.3g GiB) left",
                         what, bytes, gibibytes(bytes), available.from, left, gibibytes(left));
  }
  live().reserve(live().size() + 1);
  data_ = map_zeroed(bytes);
  if (!data_) {
    return Status::error(Code::out_of_memory, "%s: the system refused %zu bytes (%.3g GiB)", what, bytes,
                         gibibytes(bytes));
  }
  bytes_ = bytes;
  live().push_back(this);
  return {};
} catch (const std::bad_alloc&) {
  return Status::error(Code::out_of_memory, "%s: no memory left to find out what is available", what);
}

ZeroedMemory::~ZeroedMemory() {
  if (bytes_ == 0) return;
  {
    std::lock_guard<std::mutex> lock(live_mutex());
    live().erase(std::find(live().begin(), live().end(), this));
  }
  unmap_zeroed(data_, bytes_);
}

}  // namespace sampled_softmax
