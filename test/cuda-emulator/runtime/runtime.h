// The state of the host side that all entry points share, and how an entry point begins and ends.
#pragma once
#include <cuda_runtime_api.h>

#include <mutex>
#include <string>

namespace cuemu {

// Guards everything of the host side: devices, streams, events, allocations, pools. Never held while a kernel, a copy
// or a callback runs.
std::mutex& runtime_mutex();
using Lock = std::unique_lock<std::mutex>;

struct Device;
int current_index();  // the device of the calling thread
int& chosen_index();  // -1 where it has not chosen any
Device& current_device();

// Remembers the error for cudaGetLastError of this thread; with a text it is also a finding: the program did something
// that no right program does.
cudaError_t fail(cudaError_t error, const std::string& finding = "");
cudaError_t last_error();
void clear_last_error();

// Why nothing can be done at all: inside a callback, no driver, a driver too old, no device. cudaSuccess otherwise.
cudaError_t unusable();

cudaError_t sticky_error();  // of the current device

enum class Usable { AfterFault, UntilFault };

// An entry point: `body(lock)` under the runtime's mutex, unless nothing can be done or the current device has faulted.
template <class Body>
cudaError_t api(Body body, Usable when = Usable::UntilFault) {
  if (const cudaError_t e = unusable()) return fail(e);
  Lock lock(runtime_mutex());
  if (when == Usable::UntilFault)
    if (const cudaError_t e = sticky_error()) return fail(e);
  const cudaError_t e = body(lock);
  return e ? fail(e) : cudaSuccess;
}

void start_reports_at_exit();

}  // namespace cuemu
