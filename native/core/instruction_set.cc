#include "core/instruction_set.h"

#include <cstdlib>
#include <cstring>
#include <string>

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
#elif defined(__aarch64__)
    {InstructionSet::neon, "neon"},
#endif
};

struct Choice {
  InstructionSet set = InstructionSet::baseline;
  Status status;
};

Choice choose() {
  Choice choice;
  const char* wanted = std::getenv("SAMPLED_SOFTMAX_ISA");
  if (!wanted || !*wanted) {
    for (const Named& candidate : kSets) {
      if (processor_has(candidate.set)) choice.set = candidate.set;
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
