// Asynchronous calls: a Promise around work on a thread of our own. All tasks of the process run one after another,
// in the order of their calls, on one coordinator thread, which fans out into the pool; so no libuv thread is held
// however many calls wait, and file system, DNS and crypto never starve.
#pragma once

#include <napi.h>

#include <memory>

#include "core/status.h"

namespace sampled_softmax {

// One call. Made and destroyed on the thread of its environment; `run` is called on the coordinator.
class Task {
 public:
  virtual ~Task() = default;
  virtual Status run() = 0;                                              // no JavaScript, no exceptions
  virtual Napi::Value result(Napi::Env env) { return env.Undefined(); }  // after a run that was ok
  virtual void request_abort() {}  // any thread: make `run` return soon (the environment ends)
};

// Queues the task and returns its Promise: resolved with task->result(), or rejected with an Error with a `code`.
// When an environment (a worker) ends, its waiting tasks are dropped and its running one is aborted and awaited.
Napi::Value enqueue(Napi::Env env, std::unique_ptr<Task> task);

}  // namespace sampled_softmax
