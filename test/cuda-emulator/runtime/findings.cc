#include "runtime/findings.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <set>

#include "runtime/exports.h"
#include "runtime/kernel.h"
#include "runtime/settings.h"

namespace cuemu {
namespace {

struct Found {
  std::mutex mutex;
  std::set<std::string> seen;
  std::vector<std::string> lines;
  std::atomic<uint64_t> count{0};
};
Found& found() {
  static auto& f = *new Found;
  return f;
}

}  // namespace

void report(const char* kind, uint32_t number, const std::string& text) {
  const Site& at = site(number);
  const std::string kernel = running_kernel();
  std::string line = std::string(kind) + ": ";
  if (!kernel.empty()) line += kernel + ": ";
  if (at.line) line += std::string(at.file) + ":" + std::to_string(at.line) + " " + at.what + ": ";
  line += text + running_thread();
  const std::string same = std::string(kind) + kernel + at.file + std::to_string(at.line) + (at.line ? "" : text);

  Found& f = found();
  std::lock_guard lock(f.mutex);
  f.count++;
  if (!f.seen.insert(same).second) return;
  f.lines.push_back(line);
  if (!settings().quiet) std::fprintf(stderr, "cuemu: %s\n", line.c_str());
  if (settings().findings.empty()) return;
  if (std::FILE* file = std::fopen(settings().findings.c_str(), "a")) {
    std::fprintf(file, "%s\n", line.c_str());
    std::fclose(file);
  } else {
    std::fprintf(stderr, "cuemu: cannot write findings to %s\n", settings().findings.c_str());
  }
}

uint64_t finding_count() { return found().count; }

std::vector<std::string> findings() {
  std::lock_guard lock(found().mutex);
  return found().lines;
}

void clear_findings() {
  std::lock_guard lock(found().mutex);
  found().seen.clear();
  found().lines.clear();
  found().count = 0;
}

}  // namespace cuemu

uint64_t cuemu_finding_count() { return cuemu::finding_count(); }
