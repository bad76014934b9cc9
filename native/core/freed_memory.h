#pragma once

namespace sampled_softmax {

// Lets the C library keep more of what is freed for what is allocated next. For good, once for the process.
void keep_freed_memory();

// Gives what it keeps at the moment back to the system.
void release_freed_memory();

}  // namespace sampled_softmax
