// What the host side of a CUDA backend does where there is no device, no memory, or no longer a device that works.
// Usage: test_host EMULATED-LIBRARY [LIBRARY-WHOSE-KERNELS-FAULT]
#include <unistd.h>

#include <atomic>
#include <string>

#include "run_case.h"
#include "scenarios.h"

using namespace sampled_softmax;

namespace {

const Shape kShape{20, 12, 40, 2, 70};

bool has(const Status& status, const char* text) { return std::strstr(status.message, text) != nullptr; }

Options merged() {
  Options o;
  o.mode = GradientMode::merged;
  return o;
}

// The call, and that its results are right.
Status run_and_compare(const Backend& backend) {
  Case c(kShape, merged(), 1);
  c.p.reduced_precision = false;
  const Status status = run(backend, c, false);
  if (!status.ok()) return status;
  const Reference want = reference(c.p, false);
  CHECK(worst(c.losses.data(), false, want.losses) < 4e-6, "losses");
  CHECK(worst(c.weight_gradients.data(), false, want.weights) < 4e-6, "weight gradients");
  return status;
}

void expect_no_memory_kept(const Emulated& e) {
  const Status status = e.backend->release_memory();
  CHECK(status.ok(), "%s", status.message);
  CHECK(e.device_bytes() == 0, "%llu bytes of device memory", static_cast<unsigned long long>(e.device_bytes()));
  CHECK(e.pinned_bytes() == 0, "%llu bytes of pinned memory", static_cast<unsigned long long>(e.pinned_bytes()));
}

// ---- no device: whatever is asked, the reason

void expect_unavailable(const Emulated& e, const char* reason) {
  int32_t count = -1;
  DeviceInfo info;
  Case c(kShape, merged(), 1);
  PendingCall* pending = nullptr;
  for (const Status& status : {e.backend->count_devices(&count), e.backend->device_info(0, &info),
                               start(*e.backend, c, false, {}, &pending), start(*e.backend, c, true, {}, &pending)}) {
    CHECK(status.code == Code::device_unavailable, "code %d", int(status.code));
    CHECK(!std::strncmp(status.message, reason, std::strlen(reason)), "'%s', not '%s'", status.message, reason);
    CHECK(!pending, "a call is pending");
  }
  CHECK(e.backend->release_memory().ok(), "release_memory");
}

void no_driver(const Emulated& e) { expect_unavailable(e, "no NVIDIA driver is loaded (libcuda.so.1 was not found)"); }
void old_driver(const Emulated& e) {
  expect_unavailable(e, "the NVIDIA driver is too old: it supports CUDA 12.0, and ");
}
void no_device(const Emulated& e) { expect_unavailable(e, "the NVIDIA driver finds no device"); }

void a_device_too_far(const Emulated& e) {
  int32_t count = 0;
  CHECK(e.backend->count_devices(&count).ok() && count == 2, "%d devices", count);
  Case c(kShape, merged(), 1);
  c.p.device = 2;
  PendingCall* pending = nullptr;
  const Status status = start(*e.backend, c, false, {}, &pending);
  CHECK(status.code == Code::device_unavailable && has(status, "no device cuda:2, there are 2"), "%s", status.message);
  c.p.device = 1;
  CHECK(run(*e.backend, c, false).ok(), "cuda:1");
  // To choose one, were it the first, would take memory of it.
  CHECK(e.chosen_device() == -1, "the thread is left with device %d", e.chosen_device());
}

// ---- not enough memory

// CUEMU_MEMORY is what the device has: too little at one allocation or another.
void a_call_too_large(const Emulated& e) {
  const std::string memory = std::getenv("CUEMU_MEMORY");
  const Case large({500, 64, 40, 1, 70}, merged(), 1);
  std::atomic<int> notified{0};
  const Notify notify{[](void* n) { ++*static_cast<std::atomic<int>*>(n); }, &notified};
  for (int i = 0; i < 2; ++i) {
    PendingCall* pending = nullptr;
    const Status status = start(*e.backend, large, false, notify, &pending);
    CHECK(status.code == Code::out_of_memory, "code %d: %s", int(status.code), status.message);
    CHECK(has(status, (" bytes on cuda:0, of whose " + memory + " bytes ").c_str()) && has(status, " are free"), "%s",
          status.message);
    CHECK(!pending && notified == 0, "a call that was refused is pending, or notified");
    const Status smaller = run_and_compare(*e.backend);
    CHECK(smaller.ok() == (memory.size() >= 6), "a smaller call: %s", smaller.message);
    expect_no_memory_kept(e);
  }
}

void aborted_calls_keep_nothing(const Emulated& e) {
  std::atomic<int32_t> flag{1};
  Case c(kShape, merged(), 1);
  c.p.abort_flag = &flag;
  CHECK(run(*e.backend, c, false).code == Code::aborted, "aborted before the start");
  flag = 0;
  PendingCall* pending = nullptr;
  CHECK(start(*e.backend, c, false, {}, &pending).ok() && pending, "start");
  flag = 1;
  CHECK(e.backend->finish(pending).code == Code::aborted, "aborted after the start");
  CHECK(std::isnan(c.losses[0]), "an output of an aborted call is written");
  expect_no_memory_kept(e);
}

// ---- a device that faults

void expect_failed(const Status& status, const Status& first) {
  CHECK(status.code == Code::device_failed, "code %d: %s", int(status.code), status.message);
  CHECK(!std::strcmp(status.message, first.message), "'%s', not '%s'", status.message, first.message);
}

// Several calls are under way; every one ends with the same error, once, and so do those that come later.
void a_fault(const Emulated& e) {
  constexpr int kCalls = 3;
  std::vector<Case> cases;
  cases.reserve(kCalls + 1);
  std::atomic<int> notified[kCalls] = {};
  PendingCall* pending[kCalls] = {};
  for (int i = 0; i < kCalls; ++i) {
    cases.emplace_back(kShape, merged(), 1);
    const Notify notify{[](void* n) { ++*static_cast<std::atomic<int>*>(n); }, &notified[i]};
    const Status status = start(*e.backend, cases.back(), false, notify, &pending[i]);
    CHECK(status.ok() == (pending[i] != nullptr), "%s", status.message);
    CHECK(i > 0 || pending[i], "%s", status.message);
  }
  Status first;
  for (int i = 0; i < kCalls; ++i) {
    if (!pending[i]) continue;
    // It ends with a notification, failed or not, and is finished after that.
    for (int wait = 0; wait < 10000 && notified[i] == 0; ++wait) usleep(1000);
    CHECK(notified[i] == 1, "notified %d times", notified[i].load());
    const Status status = e.backend->finish(pending[i]);
    if (first.ok()) {
      first = status;
      // A later call may be the first to see it: it then names what that call was doing.
      const bool eager = std::getenv("CUEMU_STREAMS") != nullptr;
      CHECK(eager || has(status, "a loss of 20 rows, 40 columns and 12 dims"), "%s", status.message);
      CHECK(has(status, "(cudaErrorIllegalAddress)"), "%s", status.message);
      CHECK(has(status, "the last kernel to begin: finish_rows"), "%s", status.message);
    }
    expect_failed(status, first);
  }
  cases.emplace_back(kShape, merged(), 1);
  for (bool full : {false, true}) {
    PendingCall* refused = nullptr;
    const Notify notify{[](void* n) { ++*static_cast<std::atomic<int>*>(n); }, &notified[0]};
    expect_failed(start(*e.backend, cases.back(), full, notify, &refused), first);
    CHECK(!refused && notified[0] == 1, "a refused call is pending, or notified");
    expect_failed(run(*e.backend, cases.back(), full), first);
  }
  e.backend->release_memory();  // whatever it says, it returns
}

const Scenario kScenarios[] = {{"no driver", no_driver},
                               {"an old driver", old_driver},
                               {"no device", no_device},
                               {"a device too far", a_device_too_far},
                               {"a call too large", a_call_too_large},
                               {"aborted calls", aborted_calls_keep_nothing},
                               {"a fault", a_fault}};

}  // namespace

int main(int argc, char** argv) {
  be_scenario(argc, argv, kScenarios);
  open_backend(argc, argv);
  const char* library = argv[1];
  expect_scenario(library, "no driver", {"CUEMU_DRIVER=0"});
  expect_scenario(library, "an old driver", {"CUEMU_DRIVER=12000"});
  expect_scenario(library, "no device", {"CUEMU_DEVICES=0"});
  expect_scenario(library, "a device too far", {"CUEMU_DEVICES=2"});
  for (const char* memory : {"1", "3000", "20000", "100000", "200000"}) {
    expect_scenario(library, "a call too large", {std::string("CUEMU_MEMORY=") + memory, "CUEMU_LEAKS=1"});
  }
  expect_scenario(library, "aborted calls", {"CUEMU_LEAKS=1"});
  // A fault is a finding, which is what is wanted here.
  if (argc > 2) expect_scenario(argv[2], "a fault", {"CUEMU_FINDINGS=", "CUEMU_QUIET=1"});
  if (argc > 2) expect_scenario(argv[2], "a fault", {"CUEMU_FINDINGS=", "CUEMU_QUIET=1", "CUEMU_STREAMS=eager"});
  return finish("host");
}
