// Streams, events and callbacks as a host program meets them: what waits for what, and what the emulator says when the
// program forgot to wait.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "check.h"
#include "device_array.h"
#include "gate.h"
#include "runtime/exports.h"

__global__ void fill(float* y, int n, float value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = value;
}
__global__ void add_one(float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += 1;
}
__global__ void copy_all(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i];
}
__global__ void crash() { *reinterpret_cast<volatile int*>(16) = 1; }

constexpr int kN = 1000, kBlocks = 8, kThreads = 128;
constexpr size_t kBytes = kN * sizeof(float);

struct Stream {
  cudaStream_t handle;
  explicit Stream(unsigned flags = cudaStreamNonBlocking) { cudaStreamCreateWithFlags(&handle, flags); }
  ~Stream() { cudaStreamDestroy(handle); }
  operator cudaStream_t() const { return handle; }
};
struct Event {
  cudaEvent_t handle;
  explicit Event(unsigned flags = cudaEventDefault) { cudaEventCreateWithFlags(&handle, flags); }
  ~Event() { cudaEventDestroy(handle); }
  operator cudaEvent_t() const { return handle; }
};
struct Pinned {
  float* data;
  Pinned() {
    cudaMallocHost(reinterpret_cast<void**>(&data), kBytes);
    for (int i = 0; i < kN; ++i) data[i] = -1;
  }
  ~Pinned() { cudaFreeHost(data); }
};

// A place for callbacks to say that they have been called, in order.
class Calls {
 public:
  void note(const std::string& what) {
    std::lock_guard lock(mutex_);
    calls_ += what;
    thread_ = std::this_thread::get_id();
    changed_.notify_all();
  }
  std::string wait_for(size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return calls_.size() >= n; });
    return calls_;
  }
  std::thread::id thread() {
    std::lock_guard lock(mutex_);
    return thread_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string calls_;
  std::thread::id thread_;
};

// ---------------------------------------------------------------------------------- work goes on by itself

static void CUDART_CB note_host_function(void* calls) {
  int device;
  static_cast<Calls*>(calls)->note(cudaGetDevice(&device) == cudaErrorNotPermitted ? "h" : "?");
}
static void CUDART_CB note_callback(cudaStream_t, cudaError_t error, void* calls) {
  static_cast<Calls*>(calls)->note(error == cudaSuccess ? "c" : error == cudaErrorIllegalAddress ? "e" : "?");
}

static void test_callbacks() {
  Stream s;
  DeviceArray<float> y(kN);
  Pinned host;
  Calls calls;
  fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 5);
  cudaMemcpyAsync(host.data, y, kBytes, cudaMemcpyDeviceToHost, s);
  CHECK(cudaStreamAddCallback(s, note_callback, &calls, 0) == cudaSuccess);
  CHECK(cudaLaunchHostFunc(s, note_host_function, &calls) == cudaSuccess);
  CHECK(cudaStreamAddCallback(s, note_callback, &calls, 0) == cudaSuccess);
  CHECK(calls.wait_for(3) == "chc");  // nobody else waits
  CHECK(host.data[0] == 5 && host.data[kN - 1] == 5);
  CHECK(calls.thread() != std::this_thread::get_id());
  CHECK(check::found("api", "inside a host callback"));
  CHECK(cudaGetLastError() == cudaSuccess);  // the callback's error is its thread's
}

static void test_callbacks_after_fault() {
  {
    Stream s;
    Calls calls;
    {
      Gate gate(s);  // once the device has failed, callbacks are refused
      crash<<<1, 1, 0, s>>>();
      CHECK(cudaLaunchHostFunc(s, note_host_function, &calls) == cudaSuccess);
      CHECK(cudaStreamAddCallback(s, note_callback, &calls, 0) == cudaSuccess);
    }
    CHECK(calls.wait_for(1) == "e");  // with the error; the host function is left out
    CHECK(cudaStreamSynchronize(s) == cudaErrorIllegalAddress);
    // the fault stays, whatever is called and however often it is asked for
    void* p;
    CHECK(cudaMalloc(&p, 4) == cudaErrorIllegalAddress);
    CHECK(cudaGetLastError() == cudaErrorIllegalAddress && cudaGetLastError() == cudaErrorIllegalAddress);
    CHECK(cudaLaunchHostFunc(s, note_host_function, &calls) == cudaErrorIllegalAddress);
    CHECK(calls.wait_for(1) == "e");
    CHECK(check::found("fault", "is not device memory"));
  }
  check::nothing_found();  // the stream could not be destroyed, which is no news
  CHECK(cudaDeviceReset() == cudaSuccess && cudaGetLastError() == cudaSuccess);
}

// A host that reads too early reads what was there before: nearly always, as the device waits a while for more work.
static void test_laziness() {
  Stream s;
  DeviceArray<float> y(kN);
  int too_early = 0;
  for (int i = 0; i < 20; ++i) {
    Pinned host;
    fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 5);
    cudaMemcpyAsync(host.data, y, kBytes, cudaMemcpyDeviceToHost, s);
    too_early += host.data[0] == -1;
    CHECK(cudaStreamSynchronize(s) == cudaSuccess && host.data[0] == 5);
  }
  CHECK(too_early > 0);
}

static void test_destroyed_stream() {
  DeviceArray<float> y(kN);
  Pinned host;
  Event done;
  {
    Stream s;
    fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 6);
    cudaMemcpyAsync(host.data, y, kBytes, cudaMemcpyDeviceToHost, s);
    cudaEventRecord(done, s);
  }
  CHECK(cudaEventSynchronize(done) == cudaSuccess);  // its work still happens
  CHECK(host.data[0] == 6);
}

// ---------------------------------------------------------------------------------- events

static void test_events() {
  Stream s;
  DeviceArray<float> y(kN);
  Event a, b, untimed(cudaEventBlockingSync | cudaEventDisableTiming), never;
  CHECK(cudaEventQuery(never) == cudaSuccess && cudaEventSynchronize(never) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(s, never, 0) == cudaSuccess);
  float ms = -1;
  {
    Gate gate(s);
    cudaEventRecord(a, s);
    fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 1);
    cudaEventRecord(b, s);
    cudaEventRecord(untimed, s);
    CHECK(cudaEventQuery(b) == cudaErrorNotReady);
    CHECK(cudaStreamQuery(s) == cudaErrorNotReady);
    CHECK(cudaEventElapsedTime(&ms, a, b) == cudaErrorNotReady);
    CHECK(cudaGetLastError() == cudaErrorNotReady);
  }
  CHECK(cudaEventSynchronize(untimed) == cudaSuccess);
  CHECK(cudaEventQuery(b) == cudaSuccess && cudaStreamQuery(s) == cudaSuccess);
  CHECK(cudaEventElapsedTime(&ms, a, b) == cudaSuccess && ms > 0);
  CHECK(check::nothing_found());
  CHECK(cudaEventElapsedTime(&ms, a, untimed) == cudaErrorInvalidResourceHandle);
  CHECK(check::found("api", "that have no time"));
  CHECK(cudaGetLastError() == cudaErrorInvalidResourceHandle && cudaGetLastError() == cudaSuccess);
}

static void test_polling() {
  Stream s;
  DeviceArray<float> y(kN);
  Event e;
  fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 1);
  cudaEventRecord(e, s);
  cudaError_t state;
  while ((state = cudaEventQuery(e)) == cudaErrorNotReady) std::this_thread::yield();
  CHECK(state == cudaSuccess);
  cudaGetLastError();
}

// A wait is for the record before it, not for a later one.
static void test_recorded_again() {
  Stream a, b;
  DeviceArray<float> y(std::vector<float>(kN, 0)), z(std::vector<float>(kN, 0));
  Event e;
  add_one<<<kBlocks, kThreads, 0, a>>>(y, kN);
  cudaEventRecord(e, a);
  cudaStreamWaitEvent(b, e, 0);
  add_one<<<kBlocks, kThreads, 0, a>>>(z, kN);
  cudaEventRecord(e, a);
  add_one<<<kBlocks, kThreads, 0, b>>>(y, kN);  // ordered by the first record
  cudaDeviceSynchronize();
  CHECK(check::nothing_found());
  CHECK(y.get()[0] == 2);
  add_one<<<kBlocks, kThreads, 0, a>>>(z, kN);
  cudaStreamWaitEvent(b, e, 0);
  add_one<<<kBlocks, kThreads, 0, b>>>(z, kN);  // the record was before the last kernel
  cudaDeviceSynchronize();
  CHECK(check::found("race", "a kernel in another stream"));
}

// ---------------------------------------------------------------------------------- what waits for what

static void test_default_stream() {
  Stream blocking(cudaStreamDefault), other(cudaStreamNonBlocking);
  DeviceArray<float> y(kN);
  DeviceArray<float> z(kN);
  cudaDeviceSynchronize();
  fill<<<kBlocks, kThreads, 0, blocking>>>(y, kN, 1);
  add_one<<<kBlocks, kThreads>>>(y, kN);               // after the blocking stream
  add_one<<<kBlocks, kThreads, 0, blocking>>>(y, kN);  // after the default stream
  CHECK(cudaStreamSynchronize(blocking) == cudaSuccess);
  CHECK(check::nothing_found());
  CHECK(y.get()[0] == 3);
  fill<<<kBlocks, kThreads>>>(z, kN, 1);
  add_one<<<kBlocks, kThreads, 0, other>>>(z, kN);  // the default stream means nothing to it
  cudaDeviceSynchronize();
  CHECK(check::found("race", "a kernel in another stream"));
  fill<<<kBlocks, kThreads, 0, blocking>>>(y, kN, 7);
  CHECK(cudaStreamSynchronize(nullptr) == cudaSuccess);  // waits for blocking streams too
  CHECK(cudaStreamQuery(blocking) == cudaSuccess);
}

template <class Between>
static void write_then_read(Between between) {
  Stream a, b;
  DeviceArray<float> x(kN), y(kN);
  fill<<<kBlocks, kThreads, 0, a>>>(x, kN, 5);
  between(a, b);
  copy_all<<<kBlocks, kThreads, 0, b>>>(x, y, kN);
  cudaDeviceSynchronize();
}

static void test_missing_events() {
  Event e;
  write_then_read([&](cudaStream_t a, cudaStream_t b) { cudaEventRecord(e, a), cudaStreamWaitEvent(b, e, 0); });
  CHECK(check::nothing_found());
  write_then_read([](cudaStream_t a, cudaStream_t) { cudaStreamSynchronize(a); });
  CHECK(check::nothing_found());
  write_then_read([](cudaStream_t, cudaStream_t) {});
  const std::vector<std::string> lines = cuemu::findings();
  CHECK(!lines.empty());  // unwritten memory is read, or the race is seen: that depends on who runs first
  cuemu::clear_findings();

  Stream a, b;
  DeviceArray<float> x(std::vector<float>(kN, 1)), y(std::vector<float>(kN, 1));
  Pinned host, other;
  cudaDeviceSynchronize();
  cudaMemcpyAsync(x, host.data, kBytes, cudaMemcpyHostToDevice, a);
  copy_all<<<kBlocks, kThreads, 0, b>>>(x, y, kN);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "a copy or a fill"));
  add_one<<<kBlocks, kThreads, 0, a>>>(y, kN);
  cudaMemcpyAsync(host.data, y, kBytes, cudaMemcpyDeviceToHost, b);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "a copy or a fill"));
  copy_all<<<kBlocks, kThreads, 0, a>>>(x, y, kN);  // read by a kernel, then overwritten by a copy
  cudaMemsetAsync(x, 0, kBytes, b);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "a copy or a fill"));
  cudaMemsetAsync(x, 0, kBytes, a);
  cudaMemcpyAsync(host.data, x, kBytes, cudaMemcpyDeviceToHost, b);
  cudaDeviceSynchronize();
  CHECK(check::found("order", "two copies or fills"));
  // both only read, or touch different parts: nobody has to wait
  cudaMemcpyAsync(host.data, x, kBytes, cudaMemcpyDeviceToHost, a);
  cudaMemcpyAsync(other.data, x, kBytes, cudaMemcpyDeviceToHost, b);
  copy_all<<<kBlocks, kThreads, 0, b>>>(x, y, kN / 2);
  cudaMemsetAsync(y + kN / 2, 0, kBytes / 2, a);
  cudaDeviceSynchronize();
  CHECK(check::nothing_found());
}

// Pageable memory has been read when the call returns, or been written; page-locked memory is touched later.
static void test_pageable_copies() {
  Stream s;
  DeviceArray<float> y(kN);
  std::vector<float> host(kN, 3);
  cudaMemcpyAsync(y, host.data(), kBytes, cudaMemcpyHostToDevice, s);
  std::fill(host.begin(), host.end(), 0.f);
  cudaMemcpyAsync(host.data(), y, kBytes, cudaMemcpyDeviceToHost, s);
  CHECK(host[0] == 3 && host[kN - 1] == 3);
  CHECK(cudaHostRegister(host.data(), kBytes, 0) == cudaSuccess);
  CHECK(cudaHostRegister(host.data(), kBytes, 0) == cudaErrorHostMemoryAlreadyRegistered);
  CHECK(cuemu_pinned_bytes() == kBytes);
  {
    Gate gate(s);
    fill<<<kBlocks, kThreads, 0, s>>>(y, kN, 8);
    cudaMemcpyAsync(host.data(), y, kBytes, cudaMemcpyDeviceToHost, s);
    CHECK(host[0] == 3);
  }
  cudaStreamSynchronize(s);
  CHECK(host[0] == 8);
  CHECK(cudaHostUnregister(host.data()) == cudaSuccess && cuemu_pinned_bytes() == 0);
  CHECK(cudaHostUnregister(host.data()) == cudaErrorHostMemoryNotRegistered);
  cudaGetLastError();
}

// ---------------------------------------------------------------------------------- many threads

static void train(int seed, std::atomic<int>& right) {
  Stream s;
  Pinned host;
  for (int step = 0; step < 10; ++step) {
    float* y = nullptr;
    Calls calls;
    cudaMallocAsync(reinterpret_cast<void**>(&y), kBytes, s);
    for (int i = 0; i < kN; ++i) host.data[i] = float(seed + step);
    cudaMemcpyAsync(y, host.data, kBytes, cudaMemcpyHostToDevice, s);
    add_one<<<kBlocks, kThreads, 0, s>>>(y, kN);
    cudaMemcpyAsync(host.data, y, kBytes, cudaMemcpyDeviceToHost, s);
    cudaFreeAsync(y, s);
    if (step % 2) {
      cudaStreamAddCallback(s, note_callback, &calls, 0);
      calls.wait_for(1);
    } else {
      cudaStreamSynchronize(s);
    }
    bool same = cudaGetLastError() == cudaSuccess;
    for (int i = 0; i < kN; ++i) same &= host.data[i] == float(seed + step + 1);
    right += same;
  }
}

static void test_threads() {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) threads.emplace_back([&, i] { train(100 * i, right); });
  for (std::thread& t : threads) t.join();
  CHECK(right == 60);
  CHECK(check::nothing_found());
  CHECK(cuemu_pinned_bytes() == 0);
}

int main() {
  test_callbacks();
  test_callbacks_after_fault();
  test_laziness();
  test_destroyed_stream();
  test_events();
  test_polling();
  test_recorded_again();
  test_default_stream();
  test_missing_events();
  test_pageable_copies();
  test_threads();
  return check::summary("streams");
}
