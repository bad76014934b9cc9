// Copies results to memory of the caller's.
#pragma once

#include <cstddef>

namespace sampled_softmax {
namespace cuda {

// As memcpy. `to` is fresh in most calls: the system then makes a page of it at each first touch, which takes longer
// than the copy, so that large results are copied by a few threads.
void copy_out(void* to, const void* from, size_t bytes);

}  // namespace cuda
}  // namespace sampled_softmax
