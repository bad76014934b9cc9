#include "cpu/available_threads.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "cpu/pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace sampled_softmax {
namespace {

// 0: not set; -1: set to something else than an integer in [1, kMaxPoolThreads].
int threads_from_environment() {
  const char* text = std::getenv("SAMPLED_SOFTMAX_THREADS");
  if (!text || !*text) return 0;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  return *end == 0 && value >= 1 && value <= kMaxPoolThreads ? static_cast<int>(value) : -1;
}

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

int processors_of(double quota, double period) {
  return quota > 0 && period > 0 ? static_cast<int>(std::min(1e6, std::ceil(quota / period))) : 0;
}

// The smallest quota on the way from the process's own cgroup up to the root of the hierarchy.
template <class Limit>
int smallest_on_the_way(std::string path, Limit limit) {
  int smallest = 0;
  for (;;) {
    if (const int found = limit(path); found > 0) smallest = smallest ? std::min(smallest, found) : found;
    const size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos) return smallest;
    path.resize(slash);
  }
}

}  // namespace

int cgroup_cpu_limit(const std::string& root) {
  int limit = 0;
  const auto take = [&](int found) {
    if (found > 0) limit = limit ? std::min(limit, found) : found;
  };
  // Lines are hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    while (!path.empty() && path.back() == '/') path.pop_back();
    if (controllers == ",,") {
      take(smallest_on_the_way(path, [&](const std::string& p) {
        std::istringstream text(read_line(root + "/sys/fs/cgroup" + p + "/cpu.max"));
        double quota = 0, period = 0;  // "max 100000" leaves the quota at 0
        text >> quota >> period;
        return processors_of(quota, period);
      }));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      take(smallest_on_the_way(path, [&](const std::string& p) {
        const std::string folder = root + "/sys/fs/cgroup/cpu" + p;
        return processors_of(std::atof(read_line(folder + "/cpu.cfs_quota_us").c_str()),
                             std::atof(read_line(folder + "/cpu.cfs_period_us").c_str()));
      }));
    }
  }
  return limit;
}

int default_threads() {
  if (const int stated = threads_from_environment(); stated > 0) return stated;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) threads = CPU_COUNT(&allowed);
#endif
  if (const int quota = cgroup_cpu_limit("/"); quota > 0) threads = std::min(threads, quota);
  return std::clamp(threads, 1, kMaxPoolThreads);
}

Status pool_environment_status() {
  if (threads_from_environment() >= 0) return {};
  return Status::error(Code::environment, "SAMPLED_SOFTMAX_THREADS: expected an integer in [1, %d], got '%.80s'",
                       kMaxPoolThreads, std::getenv("SAMPLED_SOFTMAX_THREADS"));
}

}  // namespace sampled_softmax
