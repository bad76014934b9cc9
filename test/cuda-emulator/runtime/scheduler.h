// What host threads and the device thread share. Guarded by the runtime's mutex.
#pragma once
#include <condition_variable>
#include <memory>
#include <vector>

#include "runtime/clock.h"
#include "runtime/streams.h"

namespace cuemu {

struct Scheduler {
  std::vector<std::shared_ptr<Stream>> streams;  // in order of creation
  std::vector<uint64_t> ended;                   // by number of stream: where a new stream of that number goes on
  std::vector<size_t> free_numbers;

  std::condition_variable work;      // something has been enqueued or is wanted
  std::condition_variable progress;  // an operation has ended
  Time last_enqueue{};
  Clock known;  // what the host knows to have happened
};

Scheduler& scheduler();
void start_device_thread();                                  // once
void forget_if_over(const std::shared_ptr<Stream>& stream);  // a destroyed stream whose work has ended

}  // namespace cuemu
