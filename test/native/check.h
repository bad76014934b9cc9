// The smallest test harness that names what failed. CHECK(condition, "printf-like message", ...); end main with
// `return finish("name");`, which prints "name: N passed, N failed".
#pragma once

#include <cstdio>

static int checks_passed = 0, checks_failed = 0;

#define CHECK(condition, ...)                                     \
  do {                                                            \
    if (condition) {                                              \
      ++checks_passed;                                            \
    } else if (++checks_failed <= 50) {                           \
      std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      std::printf(__VA_ARGS__);                                   \
      std::printf("\n");                                          \
    }                                                             \
  } while (0)

static inline int finish(const char* name) {
  std::printf("%s: %d passed, %d failed\n", name, checks_passed, checks_failed);
  return checks_failed || !checks_passed ? 1 : 0;
}
