// What the tests share: counting checks, and asking for findings.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "runtime/findings.h"

namespace check {

inline int passed = 0, failed = 0;

inline bool note(bool right, const std::string& what) {
  ++(right ? passed : failed);
  if (!right) std::printf("FAIL %s\n", what.c_str());
  return right;
}

// Whether a finding of that kind holds the text; and forgets all findings.
inline bool found(const std::string& kind, const std::string& text) {
  const std::vector<std::string> lines = cuemu::findings();
  cuemu::clear_findings();
  const bool is = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
    return line.rfind(kind + ": ", 0) == 0 && line.find(text) != std::string::npos;
  });
  if (!is)
    for (const std::string& line : lines) std::printf("  found instead: %s\n", line.c_str());
  return is;
}

inline bool nothing_found() {
  const std::vector<std::string> lines = cuemu::findings();
  cuemu::clear_findings();
  for (const std::string& line : lines) std::printf("  found: %s\n", line.c_str());
  return lines.empty();
}

// The greatest |a - b|; NaN counts as infinite, so that no later number can outvote it.
template <class A, class B>
double distance(const std::vector<A>& a, const std::vector<B>& b) {
  double worst = a.size() == b.size() ? 0 : HUGE_VAL;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = std::fabs(double(a[i]) - double(b[i]));
    worst = std::max(worst, std::isnan(d) ? HUGE_VAL : d);
  }
  return worst;
}

inline int summary(const char* name) {
  std::printf("%s: %d passed, %d failed\n", name, passed, failed);
  return failed || !passed;
}

}  // namespace check

#define CHECK(condition) \
  check::note((condition), std::string(#condition) + " (" __FILE__ ":" + std::to_string(__LINE__) + ")")
