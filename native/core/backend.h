// The functions that a device's library supplies. The addon calls nothing else of a device.
//
// Functions may be called from any thread, and from several at once. They do not throw, print or exit. Results are
// the same bits on every run, for any number of threads; on an error the outputs are undefined.
#pragma once

#include <cstdint>

#include "core/problem.h"
#include "core/status.h"

namespace sampled_softmax {

constexpr int32_t kBackendVersion = 2;

// A loss under way on a device: the backend's own.
struct PendingCall;

// Called once, from a thread of the device's, when finish() would no longer wait, whether the call went well or not;
// perhaps before the start has returned. It returns soon and calls no function of the backend. Where `call` is null
// nobody wants to know: finish() follows at once.
struct Notify {
  void (*call)(void* context) = nullptr;
  void* context = nullptr;
};

struct DeviceInfo {
  char name[128] = {0};
  int64_t memory_bytes = 0;
  int32_t compute_major = 0, compute_minor = 0;
};

struct Backend {
  int32_t version;   // kBackendVersion of the headers that it was built with; its place never changes
  const char* name;  // "cpu", "cuda"

  // Looks for devices, the first time that it is called. Code::device_unavailable, with the reason, where there are
  // none.
  Status (*count_devices)(int32_t* count);
  Status (*device_info)(int32_t device, DeviceInfo* info);

  // Starts a loss on problem.device; all that the problem points to stays valid until it has finished, but the class
  // rows of tables may be written to once the start has returned. Where *pending is null, the call has ended: it was
  // refused, or its outputs are written; nobody is notified. A start that is not ok leaves it null. Otherwise finish()
  // must be called, once: it waits for the device, writes the outputs and releases what the call held.
  Status (*start_sampled_loss)(const SampledProblem& problem, Notify notify, PendingCall** pending);
  Status (*start_softmax_loss)(const SoftmaxProblem& problem, Notify notify, PendingCall** pending);
  Status (*finish)(PendingCall* pending);

  // Gives memory that is kept for later calls back to the system.
  Status (*release_memory)();
};

const Backend& cpu_backend();

// What the library of another device exports, under this name: extern "C" const Backend* sampled_softmax_backend().
constexpr char kBackendSymbol[] = "sampled_softmax_backend";
using BackendFunction = const Backend* (*)();

}  // namespace sampled_softmax
