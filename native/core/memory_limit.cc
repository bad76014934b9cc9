#include "core/memory_limit.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace sampled_softmax {
namespace {

constexpr int64_t kUnknown = INT64_MAX;

// The first number of a file, or kUnknown: no such file, or the word "max".
int64_t read_number(const std::string& path) {
  std::ifstream file(path);
  int64_t number;
  return file >> number && number >= 0 ? number : kUnknown;
}

// The number after `key` in a file of lines "key number".
int64_t read_entry(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    int64_t number;
    if (words >> name >> number && name == key && number >= 0) return number;
  }
  return kUnknown;
}

int64_t machine_memory(const std::string& root) {
  const int64_t kibibytes = read_entry(root + "/proc/meminfo", "MemAvailable:");
  if (kibibytes != kUnknown) return kibibytes > kUnknown / 1024 ? kUnknown : kibibytes * 1024;
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
  const int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) return pages * page;
#endif
  return kUnknown;
}

struct GroupFiles {
  const char *limit, *usage, *reclaimable;  // the last is a key of memory.stat
};
constexpr GroupFiles kVersion1{"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles kVersion2{"/memory.max", "/memory.current", "inactive_file"};

int64_t left_in_group(const std::string& folder, const GroupFiles& files) {
  const int64_t limit = read_number(folder + files.limit);
  if (limit == kUnknown) return kUnknown;
  const int64_t usage = read_number(folder + files.usage);
  if (usage == kUnknown) return limit;
  const int64_t cached = read_entry(folder + "/memory.stat", files.reclaimable);
  const int64_t used = cached == kUnknown ? usage : std::max<int64_t>(usage - cached, 0);
  return std::max<int64_t>(limit - used, 0);
}

// In a container, the path in /proc/self/cgroup may be the host's, which is not mounted here; the hierarchy's root is
// the container's own group then, so a group without files is passed over and the way goes on upwards.
int64_t left_on_the_way(const std::string& mount, std::string path, const GroupFiles& files) {
  int64_t least = kUnknown;
  while (!path.empty() && path.back() == '/') path.pop_back();
  for (;;) {
    least = std::min(least, left_in_group(mount + path, files));
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return least;
    path.resize(slash);
  }
}

int64_t group_memory(const std::string& root) {
  int64_t least = kUnknown;
  // Lines are hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") {
      least = std::min(least, left_on_the_way(root + "/sys/fs/cgroup", path, kVersion2));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, left_on_the_way(root + "/sys/fs/cgroup/memory", path, kVersion1));
    }
  }
  return least;
}

}  // namespace

AvailableMemory available_memory(const std::string& root) {
  const int64_t machine = machine_memory(root), group = group_memory(root);
  if (group < machine) return {group, "this process's control group"};
  return {machine, "this machine"};
}

}  // namespace sampled_softmax
