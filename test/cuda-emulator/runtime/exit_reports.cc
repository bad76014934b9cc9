// What is told at the end of the process: leaks and statistics.
#include <cstdlib>
#include <mutex>

#include "runtime/core.h"
#include "runtime/exports.h"
#include "runtime/findings.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"

namespace cuemu {

void start_reports_at_exit() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::atexit([] {
      const Settings& s = settings();
      if (s.leaks && cuemu_device_bytes())
        report("leak", 0, std::to_string(cuemu_device_bytes()) + " bytes of device memory at exit");
      if (s.leaks && cuemu_pinned_bytes())
        report("leak", 0, std::to_string(cuemu_pinned_bytes()) + " bytes of page-locked memory at exit");
      if (s.stats) print_stats();
      if (!s.stats_json.empty()) write_stats(s.stats_json.c_str());
    });
  });
}

}  // namespace cuemu
