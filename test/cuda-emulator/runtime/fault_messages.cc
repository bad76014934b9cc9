#include "runtime/fault_messages.h"

#include <signal.h>

#include <cstdio>

#include "runtime/fiber.h"
#include "runtime/findings.h"
#include "runtime/memory.h"

namespace cuemu {
namespace {

struct sigaction before;

bool pass_on(int signal, siginfo_t* info, void* context) {
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context), true;
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal), true;
  return false;
}

void explain(const void* address, char* line, size_t size) {
  const uint64_t offset = reinterpret_cast<uint64_t>(address) - arena_begin;
  const char* who = *running_kernel() ? running_kernel() : "host code";
  const std::string thread = running_thread();
  if (offset < kArenaBytes)
    std::snprintf(line, size, "cuemu: SEGV: %s touched device memory at %p as if it were the host's\n", who, address);
  else if (offset < 2 * kArenaBytes)
    std::snprintf(line, size, "cuemu: SEGV: %s touched freed memory or went past its allocation, at %#llx%s\n", who,
                  static_cast<unsigned long long>(offset + arena_begin - kArenaBytes), thread.c_str());
  else if (Fiber::ran_out_of_stack(address))
    std::snprintf(line, size, "cuemu: SEGV: %s ran out of stack%s\n", who, thread.c_str());
  else std::snprintf(line, size, "cuemu: SEGV at %p in %s%s\n", address, who, thread.c_str());
}

void handle(int signal, siginfo_t* info, void* context) {
  const bool in_device_memory = reinterpret_cast<uint64_t>(info->si_addr) - arena_begin < 2 * kArenaBytes;
  if (!in_device_memory && pass_on(signal, info, context)) return;  // V8 has faults on purpose
  char line[500];
  explain(info->si_addr, line, sizeof line);
  std::fputs(line, stderr);
  ::signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

}  // namespace

void install_fault_messages() {
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before);
}

}  // namespace cuemu
