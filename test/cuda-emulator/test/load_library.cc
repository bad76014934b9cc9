// load_library FILE - opens a library that holds the emulator, works with it from several threads, and closes it while
// the process goes on.
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

using Scale = int (*)(float*, int, float);
using Count = uint64_t (*)();

void work(Scale scale, int seed, std::atomic<int>& right) {
  std::vector<float> x(1000 + size_t(seed));
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(i);
  bool same = scale(x.data(), int(x.size()), 3) == 0;
  for (size_t i = 0; i < x.size(); ++i) same &= x[i] == 3 * float(i);
  right += same;
}

int use(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::printf("FAIL %s\n", dlerror());
    return 0;
  }
  const auto scale = reinterpret_cast<Scale>(dlsym(library, "scale_on_device"));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&, i] { work(scale, i, right); });
  for (std::thread& t : threads) t.join();
  int good = right;
  for (const char* name : {"cuemu_finding_count", "cuemu_device_bytes", "cuemu_pinned_bytes"}) {
    const auto count = reinterpret_cast<Count>(dlsym(library, name));
    good += count && count() == 0;
  }
  for (const char* hidden : {"cudaMalloc", "cudaLaunchKernel", "cuemu_switch"}) good += !dlsym(library, hidden);
  dlclose(library);
  return good;
}

}  // namespace

int main(int, char** argv) {
  constexpr int kEach = 4 + 3 + 3;
  const int good = use(argv[1]) + use(argv[1]);
  std::printf("library: %d passed, %d failed\n", good, 2 * kEach - good);
  return good != 2 * kEach;
}
