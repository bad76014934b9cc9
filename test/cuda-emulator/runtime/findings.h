// Findings: mistakes that the emulator saw. The run goes on; whoever tests looks at the count, at stderr, or at the
// file named by CUEMU_FINDINGS.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cuemu {

// One line for each kind, kernel and source line; repetitions are only counted. `kind` is one of: race, initcheck,
// synccheck, stale, mixed (atomic and plain access), order (streams), fault, api, leak.
void report(const char* kind, uint32_t site, const std::string& text);

uint64_t finding_count();
std::vector<std::string> findings();
void clear_findings();

// Who is running, for findings; empty outside of kernels.
const char* running_kernel();
std::string running_thread();

}  // namespace cuemu
