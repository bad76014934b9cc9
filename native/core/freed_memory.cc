#include "core/freed_memory.h"

#include <cstddef>
#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace sampled_softmax {

// V8 frees the results of a training loop by the hundred. glibc gives what is then free at the end of its heap back to
// the system, beyond a threshold of 128 KiB at first, and every step touches new pages: 40 faults in one of 50 us,
// which made it 90, and a tenth of a step of milliseconds. The threshold follows what is freed: it is twice the largest
// block so far that had a mapping of its own, up to the 32 MiB of this one, whose pages are never touched. Where the
// user has set a threshold (MALLOC_TRIM_THRESHOLD_ and the like), that remains.
void keep_freed_memory() {
#if defined(__GLIBC__)
  static const bool done = [] {
    constexpr size_t kLargest = (size_t{32} << 20) - 8192;  // with its header, in whole pages, less than 32 MiB
    void* volatile block = std::malloc(kLargest);  // volatile: the compiler knows that malloc and free cancel out
    std::free(block);
    return true;
  }();
  (void)done;
#endif
}

void release_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace sampled_softmax
