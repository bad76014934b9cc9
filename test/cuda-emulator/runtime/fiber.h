// Stacks that take turns on one OS thread: each thread of a block is one, so that it can stop in the middle of a kernel
// and wait for others.
#pragma once
#include <cstddef>

namespace cuemu {

class Fiber {
 public:
  void start(void (*entry)());  // at the next resume; whatever it did before is forgotten. `entry` must not return
  void resume();                // runs until it pauses
  static void pause();          // goes back to whoever resumed the running fiber

  static bool is_on_stack(const void* address);  // of the running fiber
  static bool ran_out_of_stack(const void* fault_address);

 private:
  char* stack_ = nullptr;  // kept from one start to the next
  void* context_ = nullptr;
};

}  // namespace cuemu
