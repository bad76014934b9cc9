#include "cpu/scratch.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sampled_softmax {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// One block is kept for the next call: touching fresh memory costs more than a small training step (0.25 to 0.7 us a
// page of 4 KiB). Blocks above this size go back to the system.
constexpr size_t kKeep = size_t{128} << 20;

std::mutex kept_mutex;
void* kept_block = nullptr;
size_t kept_size = 0;

}  // namespace

void prefer_huge_pages(void* data, size_t bytes) {
#if defined(__linux__)
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + 4095) & ~uintptr_t{4095};
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) & ~uintptr_t{4095};
  if (bytes >= 2 * kHugePage && end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#else
  (void)data;
  (void)bytes;
#endif
}

Status Scratch::allocate() {
  {
    std::lock_guard<std::mutex> lock(kept_mutex);
    block_ = std::exchange(kept_block, nullptr);
    size_ = std::exchange(kept_size, 0);
  }
  if (size_ < bytes_) std::free(std::exchange(block_, nullptr));
  if (!block_) {
    const size_t align = bytes_ >= 2 * kHugePage ? kHugePage : kAlign;
    size_ = (bytes_ + align - 1) / align * align;
    if (!size_) size_ = kAlign;
    block_ = std::aligned_alloc(align, size_);
    if (!block_)
      return Status::error(Code::out_of_memory, "not enough memory: a call needs %zu bytes to work in", bytes_);
    prefer_huge_pages(block_, size_);
  }
  for (int i = 0; i < num_parts_; ++i) {
    const void* address = static_cast<char*>(block_) + parts_[i].offset;
    std::memcpy(parts_[i].pointer, &address, sizeof address);
  }
  return {};
}

void Scratch::release_kept() {
  std::lock_guard<std::mutex> lock(kept_mutex);
  std::free(std::exchange(kept_block, nullptr));
  kept_size = 0;
}

Scratch::~Scratch() {
  if (!block_) return;
  if (size_ <= kKeep) {
    std::lock_guard<std::mutex> lock(kept_mutex);
    if (size_ > kept_size) {
      std::swap(kept_block, block_);
      std::swap(kept_size, size_);
    }
  }
  std::free(block_);
}

}  // namespace sampled_softmax
