#include "runtime/runtime.h"

#include <cstdlib>

#include "runtime/device.h"
#include "runtime/findings.h"
#include "runtime/settings.h"
#include "runtime/streams.h"

namespace cuemu {
namespace {

thread_local cudaError_t last = cudaSuccess;
thread_local int chosen = -1;

}  // namespace

int& chosen_index() { return chosen; }
int current_index() { return chosen < 0 ? 0 : chosen; }

std::mutex& runtime_mutex() {
  static auto& m = *new std::mutex;
  return m;
}

Device& current_device() { return device(current_index()); }

cudaError_t fail(cudaError_t e, const std::string& finding) {
  if (!finding.empty()) report("api", 0, finding);
  return last = e;
}
cudaError_t last_error() { return last; }
void clear_last_error() { last = cudaSuccess; }

cudaError_t unusable() {
  if (in_callback()) {
    report("api", 0, "a CUDA call inside a host callback");
    return cudaErrorNotPermitted;
  }
  if (settings().driver / 1000 < CUDART_VERSION / 1000) return cudaErrorInsufficientDriver;
  if (settings().devices <= 0) return cudaErrorNoDevice;
  start_reports_at_exit();
  return cudaSuccess;
}

cudaError_t sticky_error() { return current_device().fault; }

}  // namespace cuemu
