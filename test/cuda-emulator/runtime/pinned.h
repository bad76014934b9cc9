// Page-locked host memory. Asynchronous copies touch it when the stream gets there; kernels may use it too.
#pragma once

namespace cuemu {

bool is_pinned(const void* p);  // any thread, the runtime's mutex held or not

}  // namespace cuemu
