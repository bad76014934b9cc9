// Events.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <set>

#include "runtime/device.h"
#include "runtime/events.h"
#include "runtime/exports.h"
#include "runtime/runtime.h"
#include "runtime/scheduler.h"
#include "runtime/streams.h"

using namespace cuemu;

namespace {

struct Event {
  Device* device;
  unsigned flags;
  bool recorded = false;
  Mark mark;                   // of the last record
  std::shared_ptr<Time> time;  // when the stream got there
};

std::set<Event*>& events() {
  static auto& all = *new std::set<Event*>;
  return all;
}

template <class Body>
cudaError_t with_event(cudaEvent_t handle, Body body) {
  return api([&](Lock& lock) {
    Event* e = reinterpret_cast<Event*>(handle);
    if (!events().count(e)) return fail(cudaErrorInvalidResourceHandle, "an event that does not exist, or no longer");
    return body(*e, lock);
  });
}

}  // namespace

namespace cuemu {

void drop_events(Device& d) {
  for (auto it = events().begin(); it != events().end();)
    if ((*it)->device == &d) {
      delete *it;
      it = events().erase(it);
    } else {
      ++it;
    }
}

}  // namespace cuemu

uint64_t cuemu_handles() {
  std::lock_guard lock(runtime_mutex());
  const auto& streams = scheduler().streams;
  const auto is_handle = [](const auto& s) { return !s->destroyed && s != s->device->legacy; };
  return events().size() + uint64_t(std::count_if(streams.begin(), streams.end(), is_handle));
}

extern "C" {

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned flags) {
  return api([&](Lock&) {
    if (injected_failure()) return cudaErrorMemoryAllocation;
    auto* e = new Event{&current_device(), flags, false, {}, nullptr};
    events().insert(e);
    *out = reinterpret_cast<cudaEvent_t>(e);
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* out) { return cudaEventCreateWithFlags(out, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return with_event(event, [](Event& e, Lock&) {
    events().erase(&e);
    delete &e;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) {
  return with_event(event, [&](Event& e, Lock&) {
    const auto s = find_stream(stream);
    if (!s || s->device != e.device)
      return fail(cudaErrorInvalidResourceHandle, "an event is recorded in a stream that is not of its device");
    e.recorded = true;
    e.time = std::make_shared<Time>();
    e.mark = enqueue(s, [time = e.time] {
      *time = std::chrono::steady_clock::now();
      return cudaSuccess;
    });
    return cudaSuccess;
  });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, 0);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return with_event(event, [&](Event& e, Lock&) {
    const auto s = find_stream(stream);
    if (!s) return fail(cudaErrorInvalidResourceHandle, "cudaStreamWaitEvent of a stream that does not exist");
    if (!e.recorded) return cudaSuccess;
    Operation op;
    op.after.push_back(e.mark);
    op.run = [] { return cudaSuccess; };
    enqueue(s, std::move(op));
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return with_event(event, [](Event& e, Lock& lock) {
    Device& d = *e.device;
    const Mark mark = e.mark;  // the event may go while this thread waits
    wait_for(mark, lock);
    return d.fault;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return with_event(event, [](Event& e, Lock&) {
    if (is_done(e.mark)) {
      know(e.mark);
      return e.device->fault;
    }
    want(e.mark);
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  return with_event(from, [&](Event& a, Lock&) {
    Event* b = reinterpret_cast<Event*>(to);
    if (!events().count(b) || !a.recorded || !b->recorded || ((a.flags | b->flags) & cudaEventDisableTiming))
      return fail(cudaErrorInvalidResourceHandle, "cudaEventElapsedTime of events that have no time");
    if (!is_done(a.mark) || !is_done(b->mark)) return cudaErrorNotReady;
    *ms = std::chrono::duration<float, std::milli>(*b->time - *a.time).count();
    return cudaSuccess;
  });
}
}
