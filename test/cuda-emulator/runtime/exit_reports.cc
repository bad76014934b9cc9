// What is told at the end of the process: leaks and statistics.
#include <cstdlib>
#include <mutex>

#include "runtime/exports.h"
#include "runtime/findings.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/statistics.h"

namespace cuemu {
namespace {

void report_leak(uint64_t count, const char* what) {
  if (count) report("leak", 0, std::to_string(count) + " " + what + " at exit");
}

void report_leaks() {
  report_leak(cuemu_device_bytes(), "bytes of device memory");
  report_leak(cuemu_pinned_bytes(), "bytes of page-locked memory");
}

}  // namespace

void start_reports_at_exit() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::atexit([] {
      if (settings().leaks) report_leaks();
      if (settings().stats) print_statistics();
      if (!settings().stats_json.empty()) write_statistics(settings().stats_json.c_str());
    });
  });
}

}  // namespace cuemu
