// Which instruction set the kernels use, in every part of the package: the widest that the processor has, or the one
// that SAMPLED_SOFTMAX_ISA names.
#pragma once

#include <vector>

#include "core/status.h"

namespace sampled_softmax {

enum class InstructionSet { baseline, avx2, avx512, avx512bf16, amx, neon };

// Chosen at first use; the baseline where SAMPLED_SOFTMAX_ISA cannot be obeyed.
InstructionSet instruction_set();

// An error where SAMPLED_SOFTMAX_ISA names no instruction set, or one that this processor lacks.
Status instruction_set_status();

bool processor_has(InstructionSet set);

// The names of those that this processor has, narrowest first.
std::vector<const char*> available_instruction_sets();

}  // namespace sampled_softmax
