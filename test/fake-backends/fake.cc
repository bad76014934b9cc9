// A device's library for tests. Its devices compute nothing: the first inputs of a call say what becomes of it, and
// every function that is called is a line of the file that FAKE_LOG names.
//
//   inputs[0]   the number of the call
//   inputs[1]   how many milliseconds it takes, on a thread of its own
//   inputs[2]   a Fate
//
// Of a call that goes well losses[0] is 1000 * device + its number, and losses[1] the first weight, read by the start.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "core/backend.h"

namespace sampled_softmax {

struct PendingCall {
  int number = 0;
  std::thread thread;
  float* losses = nullptr;
  float results[2] = {0, 0};
  Status status;
  std::atomic<bool> notified{false};
};

namespace {

enum class Fate { ends, fails, is_refused, ends_at_once, waits_for_abort, notifies_before_start_returns };

// FAKE_<name>; empty where it is not set.
std::string setting(const char* name) {
  const char* value = std::getenv((std::string("FAKE_") + name).c_str());
  return value ? value : "";
}

void log(const char* event, int number = 0) {
  const int file = open(setting("LOG").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) return;
  char line[64];
  const int length = std::snprintf(line, sizeof line, "%s %d\n", event, number);
  if (write(file, line, static_cast<size_t>(length)) != length) std::abort();
  close(file);
}

__attribute__((constructor)) void opened() { log("open"); }

Status count_devices(int32_t* count) {
  log("count");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // time for others to look too
  if (setting("KIND") == "no driver") {
    return Status::error(Code::device_unavailable, "driver 470.1 is older than the 580.2 that is needed");
  }
  *count = setting("KIND") == "no device" ? 0 : setting("DEVICES") == "1" ? 1 : 2;
  return {};
}

Status device_info(int32_t device, DeviceInfo* info) {
  if (setting("KIND") == "no answer") return Status::error(Code::device_failed, "device %d does not answer", device);
  std::snprintf(info->name, sizeof info->name, "Fake %d", device);
  info->memory_bytes = (int64_t{5} << 32) + device;
  info->compute_major = 9;
  info->compute_minor = device;
  return {};
}

void run(PendingCall* call, int milliseconds, Fate fate, const std::atomic<int32_t>* abort_flag, Notify notify) {
  for (int slept = 0; slept < milliseconds || fate == Fate::waits_for_abort; ++slept) {
    if (abort_flag->load()) {
      log("abort", call->number);
      call->status = Status::error(Code::aborted, "aborted");
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (fate == Fate::fails) call->status = Status::error(Code::device_failed, "kernel %d failed", call->number);
  if (!notify.call) return;
  log("notify", call->number);
  notify.call(notify.context);
  call->notified.store(true);
}

template <class Problem>
Status start(const Problem& problem, Notify notify, PendingCall** pending) {
  const float* inputs = static_cast<const float*>(problem.inputs);
  const Fate fate = static_cast<Fate>(inputs[2]);
  const int number = static_cast<int>(inputs[0]);
  float* losses = static_cast<float*>(problem.losses);
  const float results[2] = {static_cast<float>(1000 * problem.device + number),
                            *static_cast<const float*>(problem.weights.shards[0].data)};
  log("start", number);
  *pending = nullptr;
  if (fate == Fate::is_refused) return Status::error(Code::out_of_memory, "no room for call %d", number);
  if (fate == Fate::ends_at_once) {
    std::memcpy(losses, results, sizeof results);
    return {};
  }
  PendingCall* call = new PendingCall;
  call->number = number;
  call->losses = losses;
  std::memcpy(call->results, results, sizeof results);
  call->thread = std::thread(run, call, static_cast<int>(inputs[1]), fate, problem.abort_flag, notify);
  if (fate == Fate::notifies_before_start_returns) {
    while (!call->notified.load()) std::this_thread::yield();
  }
  *pending = call;
  return {};
}

Status finish(PendingCall* call) {
  call->thread.join();
  log("finish", call->number);
  if (call->status.ok()) std::memcpy(call->losses, call->results, sizeof call->results);
  const Status status = call->status;
  delete call;
  return status;
}

Status release_memory() {
  log("release");
  if (setting("KIND") == "release fails") return Status::error(Code::device_failed, "the device is gone");
  return {};
}

}  // namespace
}  // namespace sampled_softmax

extern "C" __attribute__((visibility("default"))) const sampled_softmax::Backend* sampled_softmax_backend() {
  using namespace sampled_softmax;
  static Backend backend{kBackendVersion,       "fake", count_devices,  device_info, start<SampledProblem>,
                         start<SoftmaxProblem>, finish, release_memory, nullptr};
  if (setting("KIND") == "null") return nullptr;
  if (setting("KIND") == "version 99") backend.version = 99;
  return &backend;
}
