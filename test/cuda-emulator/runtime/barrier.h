// Barriers of a block.
#pragma once
#include <cstdint>

namespace cuemu {

enum Reduction { NoReduction, CountTrue, AllTrue, AnyTrue };

// Waits for `count` threads (0: all that have not exited) at barrier `number`, and reduces their predicates. `place` is
// where in the source, to notice threads that meet at one barrier from different places.
int barrier(unsigned number, unsigned count, int reduction, int predicate, uint64_t place);

// Lets go every barrier whose threads have all come; false if there is none.
bool open_barriers();

}  // namespace cuemu
