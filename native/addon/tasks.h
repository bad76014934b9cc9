// Asynchronous calls: a Promise around work on a thread of our own. All tasks of the process are started one after
// another, in the order of their calls, on one coordinator thread, which fans out into the pool; so no libuv thread is
// held however many calls wait, and file system, DNS and crypto never starve. A task on the CPU has ended when its
// start returns. One on a device goes on there while the coordinator starts the next, and is finished when the device
// says so.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "core/backend.h"
#include "core/status.h"

namespace sampled_softmax {

// How many tasks may have been started and not finished. A device holds copies of all that a call reads and writes
// until it is finished, so this bounds its memory and that of the staging; from two on it need not wait for the next
// start.
constexpr size_t kMaxStarted = 4;

// One call. Made and destroyed on the thread of its environment; `start` and `finish` are called on the coordinator,
// and call no JavaScript.
class Task {
 public:
  virtual ~Task() = default;
  // Does the work, or sets *started and leaves it to a device, which calls `notify` when finish() would not wait.
  virtual Status start(Notify notify, bool* started) = 0;
  virtual Status finish() { return {}; }                                 // once, after a start that set *started
  virtual Napi::Value result(Napi::Env env) { return env.Undefined(); }  // after a task that went well
  virtual void request_abort() {}  // any thread: make it end soon (the environment ends)
};

// Queues the task and returns its Promise: resolved with task->result(), or rejected with an Error with a `code`.
// When an environment (a worker) ends, its waiting tasks are dropped, and those that run or have been started are
// aborted, awaited and finished. When the process exits, that happens to those on a device (for ten seconds at most).
Napi::Value enqueue(Napi::Env env, std::unique_ptr<Task> task);

}  // namespace sampled_softmax
