#include "runtime/address_space.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

namespace cuemu {

char* reserve_addresses(uint64_t bytes, int protection) {
  void* p = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    std::perror("cuemu: the emulator needs large ranges of addresses (is there a ulimit -v?)");
    std::abort();
  }
  return static_cast<char*>(p);
}

void give_memory_back(void* first, uint64_t bytes) { madvise(first, bytes, MADV_DONTNEED); }

}  // namespace cuemu
