// Streams, as host threads see them: they enqueue operations and wait for them.
//
// One thread of the emulator works all streams off (device_thread.cc): those of one stream in order, and among streams
// as the schedule says. It is lazy by default: an operation starts when somebody waits for it, or when nothing new has
// come for a millisecond, so that a host that reads too early reads old data, and a stream that another one should have
// waited for has not started.
#pragma once
#include <cuda_runtime_api.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/clock.h"
#include "runtime/runtime.h"

namespace cuemu {

struct Stream;
using Time = std::chrono::steady_clock::time_point;

// An operation of a stream that another stream or the host can wait for.
struct Mark {
  std::shared_ptr<Stream> stream;  // null: nothing to wait for
  uint64_t seq = 0;
  Clock clock;  // what has happened when it has
};

struct Operation {
  uint64_t seq = 0;
  std::vector<Mark> after;
  Clock clock;
  Time enqueued;
  // One of these. After a fault of the device nothing is run any more, but callbacks are called with the fault.
  std::function<cudaError_t()> run;  // returns a fault
  std::function<void(cudaError_t)> callback;
};

struct Stream {
  Device* device = nullptr;
  unsigned flags = 0;
  int priority = 0;
  size_t number = 0;
  std::deque<Operation> queue;  // the first one may be running
  bool running = false, destroyed = false;
  uint64_t issued = 0, done = 0;
  uint64_t wanted = 0;  // somebody waits for operations up to this one
  Clock clock;          // of the last operation
};

// ---- all of these need the runtime's mutex
std::shared_ptr<Stream> make_stream(Device& device, unsigned flags, int priority = 0);
std::shared_ptr<Stream> find_stream(cudaStream_t handle);    // null if unknown; 0 is that of the current device
void destroy_stream(const std::shared_ptr<Stream>& stream);  // its work still happens
void drop_streams(Device& device, Lock& lock);               // their work does not

Mark enqueue(const std::shared_ptr<Stream>& stream, Operation operation);
Mark enqueue(const std::shared_ptr<Stream>& stream, std::function<cudaError_t()> run);
Mark end_of(const std::shared_ptr<Stream>& stream);
std::vector<Mark> ends_of(const std::shared_ptr<Stream>& stream);  // the default stream's, and those it waits for
bool is_done(const Mark& mark);
void want(const Mark& mark);  // let it start

void wait_for(const Mark& mark, Lock& lock);  // the host knows afterwards that all before it has happened
void know(const Mark& mark);                  // as after a wait
const Clock& known();                         // what the host knows to have happened
void wait_for_device(Device& device, Lock& lock);

// ---- on the device thread
struct Running {
  Moment moment;
  Clock clock;
  uint64_t number = 0;  // its own among all
};
const Running& running();  // the operation that runs
uint64_t operation_number();
bool on_device_thread();  // any thread may ask
bool in_callback();       // likewise

}  // namespace cuemu
