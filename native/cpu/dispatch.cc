#include "cpu/dispatch.h"

#include <cstdlib>
#include <cstring>
#include <string>

namespace sampled_softmax {
namespace {

struct Candidate {
  const char* name;
  const KernelSet& (*kernels)();
  bool (*available)();
};

// Narrowest first.
const Candidate kCandidates[] = {
#if defined(__x86_64__)
    {"baseline", baseline_kernels, [] { return true; }},
    {"avx2", avx2_kernels,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }},
    {"avx512", avx512_kernels,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
     }},
    {"avx512bf16", avx512bf16_kernels,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512bf16");
     }},
#else
    {"baseline", baseline_kernels, [] { return true; }},
#if defined(__aarch64__)
    {"neon", neon_kernels, [] { return true; }},
#endif
#endif
};

struct Choice {
  const KernelSet* kernels = &kCandidates[0].kernels();
  Status status;
};

Choice choose() {
  Choice choice;
  const char* wanted = std::getenv("SAMPLED_SOFTMAX_ISA");
  if (!wanted || !*wanted) {
    for (const Candidate& c : kCandidates) {
      if (c.available()) choice.kernels = &c.kernels();
    }
    return choice;
  }
  std::string known;
  for (const Candidate& c : kCandidates) {
    if (std::strcmp(c.name, wanted) == 0) {
      if (c.available()) choice.kernels = &c.kernels();
      else
        choice.status = Status::error(Code::environment, "SAMPLED_SOFTMAX_ISA=%.40s: this processor lacks it", wanted);
      return choice;
    }
    known += known.empty() ? c.name : std::string(", ") + c.name;
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

const KernelSet& kernels() { return *chosen().kernels; }

Status instruction_set_status() { return chosen().status; }

std::vector<const char*> available_instruction_sets() {
  std::vector<const char*> names;
  for (const Candidate& c : kCandidates) {
    if (c.available()) names.push_back(c.name);
  }
  return names;
}

}  // namespace sampled_softmax
