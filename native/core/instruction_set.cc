#include "core/instruction_set.h"

#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace sampled_softmax {
namespace {

struct Named {
  InstructionSet set;
  const char* name;
};

// Those that were compiled in, narrowest first.
constexpr Named kSets[] = {
    {InstructionSet::baseline, "baseline"},
#if defined(__x86_64__)
    {InstructionSet::avx2, "avx2"},
    {InstructionSet::avx512, "avx512"},
    {InstructionSet::avx512bf16, "avx512bf16"},
    {InstructionSet::amx, "amx"},
#elif defined(__aarch64__)
    {InstructionSet::neon, "neon"},
#endif
};

#if defined(__x86_64__)
// Whether this is a processor with AMX whose system saves tiles at a change of threads, and lets this process use them:
// Linux wants to be asked (arch_prctl, ARCH_REQ_XCOMP_PERM), once. From then on it refuses alternate signal stacks that
// would not hold the tiles.
bool may_use_tiles() {
  static const bool may = [] {
    unsigned a, b, c, d;
    constexpr unsigned kTile = 1u << 24, kBf16 = 1u << 22;  // leaf 7, edx
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kTile) || !(d & kBf16)) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    constexpr unsigned kTileState = 3u << 17;
    unsigned saved, high;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & kTileState) != kTileState) return false;
#if defined(__linux__)
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
    return false;
#endif
  }();
  return may;
}
#endif

// Intel's dot products of bfloat16 outside of tiles have half the rate of its float32 products.
bool pays(InstructionSet set) {
#if defined(__x86_64__)
  return set != InstructionSet::avx512bf16 || !__builtin_cpu_is("intel");
#else
  (void)set;
  return true;
#endif
}

struct Choice {
  InstructionSet set = InstructionSet::baseline;
  Status status;
};

Choice choose() {
  Choice choice;
  const char* wanted = std::getenv("SAMPLED_SOFTMAX_ISA");
  if (!wanted || !*wanted) {
    for (const Named& candidate : kSets) {
      if (processor_has(candidate.set) && pays(candidate.set)) choice.set = candidate.set;
    }
    return choice;
  }
  std::string known;
  for (const Named& candidate : kSets) {
    if (std::strcmp(candidate.name, wanted) == 0) {
      if (processor_has(candidate.set)) {
        choice.set = candidate.set;
      } else {
        choice.status = Status::error(Code::environment, "SAMPLED_SOFTMAX_ISA=%.40s: this processor lacks it", wanted);
      }
      return choice;
    }
    known += known.empty() ? candidate.name : std::string(", ") + candidate.name;
  }
  choice.status =
      Status::error(Code::environment, "SAMPLED_SOFTMAX_ISA=%.40s: expected one of %s", wanted, known.c_str());
  return choice;
}

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

bool processor_has(InstructionSet set) {
  switch (set) {
    case InstructionSet::baseline: return true;
#if defined(__x86_64__)
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case InstructionSet::avx512:
      return processor_has(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case InstructionSet::avx512bf16:
      return processor_has(InstructionSet::avx512) && __builtin_cpu_supports("avx512bf16");
    case InstructionSet::amx: return processor_has(InstructionSet::avx512bf16) && may_use_tiles();
#elif defined(__aarch64__)
    case InstructionSet::neon: return true;
#endif
    default: return false;
  }
}

InstructionSet instruction_set() { return chosen().set; }

Status instruction_set_status() { return chosen().status; }

std::vector<const char*> available_instruction_sets() {
  std::vector<const char*> names;
  for (const Named& candidate : kSets) {
    if (processor_has(candidate.set)) names.push_back(candidate.name);
  }
  return names;
}

}  // namespace sampled_softmax
