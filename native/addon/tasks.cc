#include "addon/tasks.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "addon/arguments.h"
#include "core/wait.h"

namespace sampled_softmax {
namespace {

struct Environment;

struct Job {
  std::unique_ptr<Task> task;
  std::shared_ptr<Environment> owner;
  napi_deferred deferred;
  Status status;
};

// What the coordinator needs of one JavaScript environment. `ready` is guarded by the coordinator's mutex; the rest
// belongs to the environment's own thread.
struct Environment {
  napi_threadsafe_function wake = nullptr;
  int pending = 0;  // promises not settled yet; the event loop is kept alive while there are any
  std::deque<std::unique_ptr<Job>> ready;
};

class Coordinator {
 public:
  void push(std::unique_ptr<Job> job) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!started_) {
      // May throw std::system_error where no thread can be had; nothing has changed then.
      std::thread([this] { loop(); }).detach();
      started_ = true;
    }
    queue_.push_back(std::move(job));
    work_.notify_one();
  }

  std::unique_ptr<Job> take_ready(Environment& environment) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (environment.ready.empty()) return nullptr;
    std::unique_ptr<Job> job = std::move(environment.ready.front());
    environment.ready.pop_front();
    return job;
  }

  // Called on the environment's thread as it ends: afterwards no thread touches the environment.
  std::vector<std::unique_ptr<Job>> withdraw(Environment& environment) {
    std::unique_lock<std::mutex> lock(mutex_);
    std::vector<std::unique_ptr<Job>> dropped;
    for (auto& job : queue_) {
      if (job->owner.get() == &environment) dropped.push_back(std::move(job));
    }
    std::deque<std::unique_ptr<Job>> kept;
    for (auto& job : queue_) {
      if (job) kept.push_back(std::move(job));
    }
    queue_.swap(kept);
    if (running_ && running_->owner.get() == &environment) running_->task->request_abort();
    wait_for(idle_, lock, [&] { return !running_ || running_->owner.get() != &environment; });
    for (auto& job : environment.ready) dropped.push_back(std::move(job));
    environment.ready.clear();
    return dropped;
  }

 private:
  void loop() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wait_for(work_, lock, [&] { return !queue_.empty(); });
      running_ = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      Status status;
      try {
        status = running_->task->run();
      } catch (const std::exception& error) {  // of a small allocation; the large ones are checked
        status = Status::error(Code::out_of_memory, "not enough memory for the call: %s", error.what());
      }
      lock.lock();
      Environment& owner = *running_->owner;
      running_->status = status;
      owner.ready.push_back(std::move(running_));
      // Under the mutex: withdraw() cannot return before this, so the function is still alive.
      napi_call_threadsafe_function(owner.wake, nullptr, napi_tsfn_nonblocking);
      idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::unique_ptr<Job> running_;
  bool started_ = false;
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
  while (std::unique_ptr<Job> job = coordinator().take_ready(environment)) {
    Napi::HandleScope scope(env);
    try {
      settle(env, *job);
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
  auto job = std::make_unique<Job>();
  job->task = std::move(task);
  job->owner = environment;
  napi_value promise;
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok) throw Napi::Error::New(env);
  try {
    coordinator().push(std::move(job));
  } catch (const std::exception& error) {
    throw_error(env, "ERR_OUT_OF_MEMORY", std::string("no thread for asynchronous calls: ") + error.what());
  }
  if (environment->pending++ == 0) napi_ref_threadsafe_function(env, environment->wake);
  return Napi::Value(env, promise);
}

}  // namespace sampled_softmax
