#include "runtime/statistics.h"

#include <algorithm>
#include <cinttypes>
#include <compare>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "runtime/kernel.h"
#include "runtime/modules.h"
#include "runtime/traffic.h"

namespace cuemu {
namespace {

struct Executed {
  std::string opcode;
  uint64_t times;
};

// PTX instructions, summed over the threads; the most frequent first.
std::vector<Executed> executed(const Kernel& k) {
  std::map<std::string, uint64_t> times;
  for (uint32_t i = 0; i < k.opcode_count; ++i)
    times[k.opcodes[i].opcode] += k.opcodes[i].count * k.block_counts[k.opcodes[i].block];
  std::vector<Executed> sorted;
  for (const auto& [opcode, n] : times)
    if (n) sorted.push_back({opcode, n});
  std::sort(sorted.begin(), sorted.end(), [](const Executed& a, const Executed& b) { return a.times > b.times; });
  return sorted;
}

const char* name(Access access) {
  switch (access) {
    case Access::Read: return "read";
    case Access::Write: return "write";
    case Access::Update: return "update";
  }
  return "";
}

// A place in the source, the same for all copies that the compiler made of it: of unrolled loops, and of inlined
// functions as far as one line calls them.
struct Line {
  bool shared;
  std::string file;
  int line;
  std::string caller_file;
  int caller_line;
  Access access;
  std::string what;

  auto operator<=>(const Line&) const = default;
};

std::map<Line, Traffic> lines_of(const KernelCounts& c) {
  std::map<Line, Traffic> lines;
  for (const auto& [number, t] : c.sites) {
    const Site& s = site(number);
    lines[{t.shared, s.file, s.line, s.caller_file, s.caller_line, t.access, s.what}].add(t);
  }
  std::erase_if(lines, [](const auto& line) { return !line.second.requests; });
  return lines;
}

void print(const Line& at, const Traffic& t) {
  const double requests = double(t.requests);
  const std::string place = at.file + ":" + std::to_string(at.line);
  std::printf("  %-6s %-6s %-24s %-26.26s %8" PRIu64 " requests of %4.1f lanes, %5.2f %s each, at least %5.2f: %5.1f%%",
              at.shared ? "shared" : "global", name(at.access), place.c_str(), at.what.c_str(), t.requests,
              double(t.lanes) / requests, double(t.units) / requests, at.shared ? "wavefronts" : "sectors",
              double(t.ideal) / requests, 100.0 * double(t.ideal) / double(t.units));
  if (at.caller_line) std::printf(" (from %s:%d)", at.caller_file.c_str(), at.caller_line);
  std::printf("\n");
}

void print_opcodes(const Kernel& k) {
  constexpr size_t kShown = 10;
  const auto sorted = executed(k);
  uint64_t sum = 0;
  for (const Executed& e : sorted) sum += e.times;
  std::printf("  %" PRIu64 " PTX instructions:", sum);
  for (size_t i = 0; i < std::min(sorted.size(), kShown); ++i)
    std::printf(" %s %.1f%%", sorted[i].opcode.c_str(), 100.0 * double(sorted[i].times) / double(sum));
  std::printf("\n");
}

void write(std::FILE* file, const Line& at, const Traffic& t) {
  std::fprintf(file, "{\"file\": \"%s\", \"line\": %d, \"caller_file\": \"%s\", \"caller_line\": %d, ", at.file.c_str(),
               at.line, at.caller_file.c_str(), at.caller_line);
  std::fprintf(file, "\"what\": \"%s\", \"space\": \"%s\", \"access\": \"%s\", ", at.what.c_str(),
               at.shared ? "shared" : "global", name(at.access));
  std::fprintf(file,
               "\"requests\": %" PRIu64 ", \"lanes\": %" PRIu64 ", \"units\": %" PRIu64 ", \"ideal\": %" PRIu64 "}",
               t.requests, t.lanes, t.units, t.ideal);
}

void write(std::FILE* file, const std::string& kernel, const KernelCounts& c) {
  Traffic global, shared;
  for (const auto& [number, t] : c.sites) (t.shared ? shared : global).add(t);
  std::fprintf(file, "{\"kernel\": \"%s\"", kernel.c_str());
  const auto field = [&](const char* key, uint64_t value) { std::fprintf(file, ", \"%s\": %" PRIu64, key, value); };
  field("launches", c.launches);
  field("threads", c.threads);
  field("collectives", c.collectives);
  field("barriers", c.barriers);
  field("read", c.bytes_read);
  field("written", c.bytes_written);
  field("sectors", global.units);
  field("ideal_sectors", global.ideal);
  field("wavefronts", shared.units);
  field("ideal_wavefronts", shared.ideal);
  std::fprintf(file, ", \"ops\": {");
  const char* separator = "";
  if (const Kernel* k = find_kernel(kernel.c_str()))
    for (const Executed& e : executed(*k)) {
      std::fprintf(file, "%s\"%s\": %" PRIu64, separator, e.opcode.c_str(), e.times);
      separator = ", ";
    }
  std::fprintf(file, "}, \"sites\": [");
  separator = "";
  for (const auto& [at, t] : lines_of(c)) {
    std::fprintf(file, "%s\n  ", separator);
    write(file, at, t);
    separator = ",";
  }
  std::fprintf(file, "]}");
}

}  // namespace

void print_statistics() {
  for (const auto& [kernel, c] : counts()) {
    std::printf("kernel %s: %" PRIu64 " launches, %" PRIu64 " threads, %" PRIu64 " collectives, %" PRIu64
                " barriers; at least %.3f MB read and %.3f MB written\n",
                kernel.c_str(), c.launches, c.threads, c.collectives, c.barriers, double(c.bytes_read) / 1e6,
                double(c.bytes_written) / 1e6);
    for (const auto& [at, t] : lines_of(c)) print(at, t);
    if (const Kernel* k = find_kernel(kernel.c_str())) print_opcodes(*k);
  }
}

bool write_statistics(const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (!file) return false;
  const char* separator = "[";
  const auto add = [&](const std::string& kernel, const KernelCounts& c) {
    std::fputs(separator, file);
    write(file, kernel, c);
    separator = ",\n ";
  };
  const auto launched = counts();
  for (const auto& [kernel, c] : launched) add(kernel, c);
  for (const std::string& kernel : kernel_names())
    if (!launched.count(kernel)) add(kernel, {});
  std::fputs(*separator == '[' ? "[]\n" : "]\n", file);
  return std::fclose(file) == 0;
}

}  // namespace cuemu
