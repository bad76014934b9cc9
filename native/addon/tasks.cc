#include "addon/tasks.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "addon/arguments.h"
#include "core/wait.h"

namespace sampled_softmax {
namespace {

struct Environment;

struct Job {
  std::unique_ptr<Task> task;
  std::shared_ptr<Environment> owner;
  napi_deferred deferred = nullptr;
  Status status;
  bool notified = false;  // by the device; guarded by the coordinator's mutex
};

// How long the end of the process waits for calls under way on a device, which may hang.
constexpr auto kExitPatience = std::chrono::seconds(10);

// A job stays in one node for its whole life and is spliced from list to list: on the coordinator nothing may have to
// be allocated for it, since nobody could be told of a failure there.
using Jobs = std::list<Job>;

// What the coordinator needs of one JavaScript environment. `ready` is guarded by the coordinator's mutex; the rest
// belongs to the environment's own thread.
struct Environment {
  napi_threadsafe_function wake = nullptr;
  int pending = 0;  // promises not settled yet; the event loop is kept alive while there are any
  Jobs ready;
};

bool belong(const Jobs& jobs, const Environment& environment) {
  return std::any_of(jobs.begin(), jobs.end(), [&](const Job& job) { return job.owner.get() == &environment; });
}

class Coordinator;
Coordinator& coordinator();

class Coordinator {
 public:
  // Takes the one job of the list.
  void push(Jobs& job) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!has_thread_) {
      // May throw std::system_error where no thread can be had; nothing has changed then.
      std::thread([this] { loop(); }).detach();
      has_thread_ = true;
    }
    queue_.splice(queue_.end(), job);
    work_.notify_one();
  }

  Jobs take_ready(Environment& environment) {
    std::lock_guard<std::mutex> lock(mutex_);
    Jobs ready;
    ready.swap(environment.ready);
    return ready;
  }

  // Called as the process exits, once a device has been used: process.exit() ends no environment, and the device's
  // library would be torn down under its calls.
  void stop_at_exit() {
    std::unique_lock<std::mutex> lock(mutex_);
    exiting_ = true;
    for (Jobs* jobs : {&active_, &started_}) {
      for (Job& job : *jobs) job.task->request_abort();
    }
    idle_.wait_for(lock, kExitPatience, [&] { return active_.empty() && started_.empty(); });
  }

  // Called on the environment's thread as it ends: afterwards no thread touches the environment.
  Jobs withdraw(Environment& environment) {
    std::unique_lock<std::mutex> lock(mutex_);
    Jobs dropped;
    for (auto job = queue_.begin(); job != queue_.end();) {
      const auto next = std::next(job);
      if (job->owner.get() == &environment) dropped.splice(dropped.end(), queue_, job);
      job = next;
    }
    for (Jobs* jobs : {&active_, &started_}) {
      for (Job& job : *jobs) {
        if (job.owner.get() == &environment) job.task->request_abort();
      }
    }
    wait_for(idle_, lock, [&] { return !belong(active_, environment) && !belong(started_, environment); });
    dropped.splice(dropped.end(), environment.ready);
    return dropped;
  }

 private:
  void loop() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wait_for(work_, lock, [&] { return next_notified() != started_.end() || may_start(); });
      const auto notified = next_notified();
      if (notified != started_.end()) {
        finish(notified, lock);
      } else {
        start(lock);
      }
    }
  }

  Jobs::iterator next_notified() {
    return std::find_if(started_.begin(), started_.end(), [](const Job& job) { return job.notified; });
  }
  bool may_start() const { return !queue_.empty() && started_.size() < kMaxStarted && !exiting_; }

  void start(std::unique_lock<std::mutex>& lock) {
    active_.splice(active_.end(), queue_, queue_.begin());
    Job& job = active_.front();
    bool started = false;
    lock.unlock();
    try {
      job.status = job.task->start({notify, &job}, &started);
    } catch (const std::exception& error) {  // of a small allocation; the large ones are checked
      job.status = Status::error(Code::out_of_memory, "not enough memory for the call: %s", error.what());
    }
    lock.lock();
    if (started) {
      // Handlers run last first: after the device's library has registered its own.
      if (!at_exit_) at_exit_ = std::atexit([] { coordinator().stop_at_exit(); }) == 0;
      started_.splice(started_.end(), active_);
    } else {
      hand_over();
    }
  }

  // Not before the device has notified us: then it has nothing left that could still want the job.
  void finish(Jobs::iterator notified, std::unique_lock<std::mutex>& lock) {
    active_.splice(active_.end(), started_, notified);
    Job& job = active_.front();
    lock.unlock();
    job.status = job.task->finish();
    lock.lock();
    hand_over();
  }

  // Gives the active job back to its environment.
  void hand_over() {
    Environment& owner = *active_.front().owner;
    owner.ready.splice(owner.ready.end(), active_);
    // Under the mutex: withdraw() cannot return before this, so the function is still alive.
    napi_call_threadsafe_function(owner.wake, nullptr, napi_tsfn_nonblocking);
    idle_.notify_all();
  }

  // On a thread of the device's, perhaps before the start has returned.
  static void notify(void* context) {
    Coordinator& self = coordinator();
    std::lock_guard<std::mutex> lock(self.mutex_);
    static_cast<Job*>(context)->notified = true;
    self.work_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable work_, idle_;
  Jobs queue_;    // not started
  Jobs active_;   // the one that the coordinator is starting or finishing
  Jobs started_;  // under way on a device, in the order of their starts
  bool has_thread_ = false, exiting_ = false, at_exit_ = false;
};

// Leaked on purpose: the detached thread may wait on it while the process exits.
Coordinator& coordinator() {
  static Coordinator* instance = new Coordinator;
  return *instance;
}

std::mutex environments_mutex;
std::unordered_map<napi_env, std::shared_ptr<Environment>>& environments() {
  static auto* map = new std::unordered_map<napi_env, std::shared_ptr<Environment>>;
  return *map;
}

void settle(Napi::Env env, Job& job) {
  if (job.status.ok()) {
    try {
      napi_resolve_deferred(env, job.deferred, job.task->result(env));
    } catch (const Napi::Error& error) {
      napi_reject_deferred(env, job.deferred, error.Value());
    }
    return;
  }
  Napi::Error error = Napi::Error::New(env, job.status.message);
  error.Set("code", Napi::String::New(env, code_name(job.status.code)));
  napi_reject_deferred(env, job.deferred, error.Value());
}

void on_wake(napi_env env, napi_value, void* context, void*) {
  if (!env) return;  // the environment is ending: withdraw() has taken the jobs
  Environment& environment = *static_cast<Environment*>(context);
  for (Job& job : coordinator().take_ready(environment)) {
    Napi::HandleScope scope(env);
    try {
      settle(env, job);
    } catch (...) {  // a worker that is being terminated: nobody waits for the promise any more
    }
    if (--environment.pending == 0) napi_unref_threadsafe_function(env, environment.wake);
  }
}

void on_environment_end(void* data) {
  std::shared_ptr<Environment> environment;
  {
    std::lock_guard<std::mutex> lock(environments_mutex);
    auto found = environments().find(static_cast<napi_env>(data));
    if (found == environments().end()) return;
    environment = std::move(found->second);
    environments().erase(found);
  }
  coordinator().withdraw(*environment);  // destroys the jobs, and so their references, on this thread
}

// Node closes the thread-safe function after the hook above; its context lives until then.
void on_function_closed(napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Environment>*>(data); }

std::shared_ptr<Environment> environment_of(Napi::Env env) {
  std::lock_guard<std::mutex> lock(environments_mutex);
  std::shared_ptr<Environment>& slot = environments()[env];
  if (slot) return slot;
  auto environment = std::make_shared<Environment>();
  napi_value name = Napi::String::New(env, "sampled-softmax");
  auto context = std::make_unique<std::shared_ptr<Environment>>(environment);
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, context.get(), on_function_closed,
                                      environment.get(), on_wake, &environment->wake) != napi_ok) {
    environments().erase(env);
    throw_internal(env, "no thread-safe function");
  }
  context.release();
  napi_unref_threadsafe_function(env, environment->wake);
  // Hooks run last first, so this one runs before Node closes the function.
  napi_add_env_cleanup_hook(env, on_environment_end, static_cast<napi_env>(env));
  slot = environment;
  return environment;
}

}  // namespace

Napi::Value enqueue(Napi::Env env, std::unique_ptr<Task> task) {
  std::shared_ptr<Environment> environment = environment_of(env);
  Jobs job(1);
  job.front().task = std::move(task);
  job.front().owner = environment;
  napi_value promise;
  if (napi_create_promise(env, &job.front().deferred, &promise) != napi_ok) throw Napi::Error::New(env);
  try {
    coordinator().push(job);
  } catch (const std::exception& error) {
    throw_error(env, "ERR_OUT_OF_MEMORY", std::string("no thread for asynchronous calls: ") + error.what());
  }
  if (environment->pending++ == 0) napi_ref_threadsafe_function(env, environment->wake);
  return Napi::Value(env, promise);
}

}  // namespace sampled_softmax
