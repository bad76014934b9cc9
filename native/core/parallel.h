// How the core asks for threads without knowing who has them: the CPU backend's pool, or a plain loop in a test.
#pragma once

#include <cstdint>
#include <type_traits>

namespace sampled_softmax {

// Calls body(context, index, worker) once for each index in [0, count), in any order and on any threads; returns when
// all are done.
using ParallelFor = void (*)(int64_t count, void (*body)(void* context, int64_t index, int worker), void* context);

// Calls fn(begin, end) for consecutive ranges of at most `block` that cover [0, count). fn must not throw.
template <class F>
static inline void for_blocks(ParallelFor parallel_for, int64_t count, int64_t block, F&& fn) {
  struct Blocks {
    std::remove_reference_t<F>* fn;
    int64_t count, block;
  } blocks{&fn, count, block};
  parallel_for((count + block - 1) / block,
               [](void* context, int64_t index, int) {
                 const Blocks& b = *static_cast<Blocks*>(context);
                 const int64_t begin = index * b.block;
                 (*b.fn)(begin, begin + b.block < b.count ? begin + b.block : b.count);
               },
               &blocks);
}

}  // namespace sampled_softmax
