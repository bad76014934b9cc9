// Calls of several threads on one device and on two: each is notified once, and has the bits that it has alone.
// Usage: test_concurrency EMULATED-LIBRARY
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "run_case.h"
#include "scenarios.h"

using namespace sampled_softmax;

namespace {

// Where a call says that it has ended.
class Bell {
 public:
  Notify notify() {
    return {[](void* self) { static_cast<Bell*>(self)->ring(); }, this};
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    rung_.wait(lock, [&] { return times_ > 0; });
  }
  int times() {
    std::lock_guard<std::mutex> lock(mutex_);
    return times_;
  }

 private:
  void ring() {
    std::lock_guard<std::mutex> lock(mutex_);
    ++times_;
    rung_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable rung_;
  int times_ = 0;
};

struct Call {
  bool full;
  std::unique_ptr<Case> alone, among;
  Bell bell;
};

// Every loss, dtype and mode in turn; the results of each alone.
std::vector<std::unique_ptr<Call>> make_calls(const Backend& backend, int count) {
  const DType types[] = {DType::float32, DType::float64, DType::bfloat16};
  const GradientMode modes[] = {GradientMode::sparse, GradientMode::merged, GradientMode::dense};
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < count; ++i) {
    Options o;
    o.stored = types[i % 3];
    o.float64 = o.stored == DType::float64;
    o.mode = modes[i / 2 % 3];
    o.full = i % 5 == 4;
    o.loss = i % 4 == 1 && !o.full ? Loss::logistic : Loss::softmax;
    const Shape shape{3 + i * 7 % 50, 1 + i * 5 % 23, 1 + i * 11 % 70, 1 + i % 3, 80};
    auto call = std::make_unique<Call>();
    call->full = o.full;
    call->alone = std::make_unique<Case>(shape, o, 10 + i);
    call->among = std::make_unique<Case>(shape, o, 10 + i);
    CHECK(run(backend, *call->alone, o.full).ok(), "alone");
    calls.push_back(std::move(call));
  }
  return calls;
}

// Threads do not count their checks: they return what failed.
struct Failures {
  std::mutex mutex;
  std::vector<std::string> messages;
  void add(const char* message) {
    std::lock_guard<std::mutex> lock(mutex);
    messages.push_back(message);
  }
};

// Starts up to `ahead` calls before it finishes the first of them, as the addon does.
void work_off(const Backend& backend, const std::vector<Call*>& calls, size_t ahead, bool notified,
              Failures& failures) {
  std::vector<PendingCall*> pending(calls.size());
  for (size_t next = 0, done = 0; done < calls.size();) {
    if (next < calls.size() && next - done < ahead) {
      Call& c = *calls[next];
      const Status status = start(backend, *c.among, c.full, notified ? c.bell.notify() : Notify{}, &pending[next]);
      if (!status.ok()) failures.add(status.message);
      ++next;
      continue;
    }
    if (pending[done]) {
      if (notified) calls[done]->bell.wait();
      if (const Status status = backend.finish(pending[done]); !status.ok()) failures.add(status.message);
    }
    ++done;
  }
}

void run_threads(const Emulated& e, int32_t devices) {
  constexpr size_t kThreads = 4, kEach = 5;
  const auto calls = make_calls(*e.backend, kThreads * kEach);
  Failures failures;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    std::vector<Call*> own;
    for (size_t i = t; i < calls.size(); i += kThreads) {
      own.push_back(calls[i].get());
      own.back()->among->p.device = static_cast<int32_t>(t) % devices;
    }
    // The last thread makes Sync calls among the others.
    const bool notified = t + 1 < kThreads;
    threads.emplace_back([&, own, notified] { work_off(*e.backend, own, notified ? 3 : 1, notified, failures); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& message : failures.messages) CHECK(false, "%s", message.c_str());
  for (size_t i = 0; i < calls.size(); ++i) {
    CHECK(same_results(*calls[i]->alone, *calls[i]->among), "call %zu has other bits among others", i);
    const int want = i % kThreads + 1 < kThreads ? 1 : 0;
    CHECK(calls[i]->bell.times() == want, "call %zu was notified %d times", i, calls[i]->bell.times());
  }
  CHECK(e.backend->release_memory().ok(), "release_memory");
  CHECK(e.device_bytes() == 0 && e.pinned_bytes() == 0, "memory is kept");
}

void one_device(const Emulated& e) { run_threads(e, 1); }
void two_devices(const Emulated& e) { run_threads(e, 2); }

// Without rows a call has ended when its start returns.
void nothing_to_do(const Emulated& e) {
  Options o;
  o.mode = GradientMode::merged;
  Case c({0, 3, 5, 1, 9}, o, 1);
  Bell bell;
  PendingCall* pending = nullptr;
  CHECK(start(*e.backend, c, false, bell.notify(), &pending).ok(), "start");
  CHECK(!pending && bell.times() == 0, "a call that has ended is pending, or notified");
  float first;
  std::memcpy(&first, c.weight_gradients.data(), sizeof first);
  CHECK(first == 0, "gradients of no rows are %g", static_cast<double>(first));
}

// release_memory() while calls are under way takes nothing away from them.
void release_among_calls(const Emulated& e) {
  const auto calls = make_calls(*e.backend, 8);
  std::atomic<bool> ended{false};
  std::thread releaser([&] {
    while (!ended) e.backend->release_memory();
  });
  Failures failures;
  std::vector<Call*> own;
  for (const auto& call : calls) own.push_back(call.get());
  work_off(*e.backend, own, 3, true, failures);
  ended = true;
  releaser.join();
  for (const std::string& message : failures.messages) CHECK(false, "%s", message.c_str());
  for (const auto& call : calls) CHECK(same_results(*call->alone, *call->among), "other bits");
}

const Scenario kScenarios[] = {{"one device", one_device},
                               {"two devices", two_devices},
                               {"nothing to do", nothing_to_do},
                               {"release among calls", release_among_calls}};

}  // namespace

int main(int argc, char** argv) {
  be_scenario(argc, argv, kScenarios);
  open_backend(argc, argv);
  const std::vector<std::string> schedules[] = {{"CUEMU_STREAMS=lazy"},
                                                {"CUEMU_STREAMS=eager", "CUEMU_ORDER=rand", "CUEMU_SEED=2"}};
  for (const auto& settings : schedules) {
    expect_scenario(argv[1], "one device", settings);
    expect_scenario(argv[1], "release among calls", settings);
  }
  expect_scenario(argv[1], "two devices", {"CUEMU_DEVICES=2"});
  expect_scenario(argv[1], "two devices", {"CUEMU_DEVICES=2", "CUEMU_STREAMS=eager", "CUEMU_ORDER=rev"});
  expect_scenario(argv[1], "nothing to do", {});
  return finish("concurrency");
}
