#include "runtime/records.h"

#include <sys/mman.h>

#include "runtime/address_space.h"

namespace cuemu {

void Records::cover(uint64_t begin, uint64_t bytes) {
  begin_ = begin;
  bytes_ = bytes;
  const auto zeros = [&](uint64_t size) { return reserve_addresses(bytes / kPage * size, PROT_READ | PROT_WRITE); };
  pages_ = reinterpret_cast<Page*>(zeros(sizeof(Page)));
  fine_pages_ = reinterpret_cast<FinePage**>(zeros(sizeof(FinePage*)));
}

void Records::forget(uint64_t begin, uint64_t bytes) {
  if (empty() || !bytes) return;
  const uint64_t first = (begin - begin_) / kPage, count = bytes / kPage;
  give_memory_back(pages_ + first, count * sizeof(Page));
  for (uint64_t i = first; i < first + count; ++i) {
    delete fine_pages_[i];
    fine_pages_[i] = nullptr;
  }
}

void Records::refine(uint64_t page) {
  auto* fine = fine_pages_[page] = new FinePage;
  for (uint64_t i = 0; i < kPage; ++i) fine->byte[i] = pages_[page].word[i / 4];
}

}  // namespace cuemu
