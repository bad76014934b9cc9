// Findings: mistakes that the emulator saw. The run goes on; whoever tests looks at the count, at stderr, or at the
// file named by CUEMU_FINDINGS.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cuemu {

// A place in a kernel's source that touches memory.
struct Site {
  const char* file;
  int line;
  const char* what;  // the instruction
  int merge;  // accesses that the machine code fuses into one are counted once, at the first (n), not at the rest (0)
};
uint32_t add_sites(const Site* sites, uint32_t n);  // returns the number of the first; 0 is no place
const Site& site(uint32_t number);

// One line for each kind, kernel and source line; repetitions are only counted. `kind` is one of: race, initcheck,
// synccheck, stale, mixed (atomic and plain access), fault, launch, order (streams), api, leak.
void report(const char* kind, uint32_t site, const std::string& text);

uint64_t finding_count();
std::vector<std::string> findings();
void clear_findings();

}  // namespace cuemu
