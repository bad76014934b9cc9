// Scenarios that each need a process of their own: the emulator reads its settings once, and a device that has failed
// stays so. A program lists them, starts itself again for each, and counts a scenario that ends with another status, or
// by a signal, as a failed check.
#pragma once

#include <spawn.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "check.h"
#include "library.h"

extern char** environ;

namespace sampled_softmax {

// A library with the emulator in it, and what can be asked of that.
struct Emulated {
  const Backend* backend;
  uint64_t (*device_bytes)();
  uint64_t (*pinned_bytes)();
  uint64_t (*handles)();
  uint64_t (*fail_allocations)(uint64_t first, uint64_t count);
  int (*chosen_device)();
};

inline Emulated open_emulated(const char* file) {
  void* library = open_library(file);
  return {find_function<BackendFunction>(library, kBackendSymbol)(),
          find_function<uint64_t (*)()>(library, "cuemu_device_bytes"),
          find_function<uint64_t (*)()>(library, "cuemu_pinned_bytes"),
          find_function<uint64_t (*)()>(library, "cuemu_handles"),
          find_function<uint64_t (*)(uint64_t, uint64_t)>(library, "cuemu_fail_allocations"),
          find_function<int (*)()>(library, "cuemu_chosen_device")};
}

struct Scenario {
  const char* name;
  void (*run)(const Emulated&);
};

// Runs a scenario in a process of its own, with more environment; its exit status, or 128 + the signal that ended it.
inline int run_scenario(const char* library, const char* name, const std::vector<std::string>& settings) {
  std::vector<std::string> texts = settings;
  for (char** e = environ; *e; ++e) {
    const std::string entry = *e, key = entry.substr(0, entry.find('=') + 1);
    bool replaced = false;
    for (const std::string& setting : settings) replaced |= setting.rfind(key, 0) == 0;
    if (!replaced) texts.push_back(entry);
  }
  std::vector<char*> environment;
  for (std::string& text : texts) environment.push_back(text.data());
  environment.push_back(nullptr);
  std::string self = "/proc/self/exe", file = library, scenario = name;
  char* arguments[] = {self.data(), file.data(), scenario.data(), nullptr};
  pid_t child;
  if (posix_spawn(&child, self.c_str(), nullptr, nullptr, arguments, environment.data()) != 0) return -1;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

inline void expect_scenario(const char* library, const char* name, const std::vector<std::string>& settings) {
  std::string with;
  for (const std::string& setting : settings) with += " " + setting;
  const int status = run_scenario(library, name, settings);
  CHECK(status == 0, "%s%s ended with %d", name, with.c_str(), status);
}

// In the process of a scenario: runs it, and ends the process. Elsewhere it returns.
template <size_t n>
void be_scenario(int argc, char** argv, const Scenario (&scenarios)[n]) {
  if (argc < 3) return;
  for (const Scenario& s : scenarios) {
    if (std::strcmp(s.name, argv[2]) != 0) continue;
    s.run(open_emulated(argv[1]));
    std::exit(checks_failed || !checks_passed ? 1 : 0);
  }
  if (std::strchr(argv[2], '/')) return;  // another library, for a scenario to come
  std::fprintf(stderr, "no scenario '%s'\n", argv[2]);
  std::exit(2);
}

}  // namespace sampled_softmax
