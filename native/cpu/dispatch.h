// Which kernels this processor runs: the widest instruction set it has, or the one SAMPLED_SOFTMAX_ISA names.
#pragma once

#include <vector>

#include "core/status.h"
#include "cpu/kernels/kernels.h"

namespace sampled_softmax {

// Chosen at first use. The baseline where SAMPLED_SOFTMAX_ISA cannot be obeyed (instruction_set_status() says why).
const KernelSet& kernels();

// An error where SAMPLED_SOFTMAX_ISA names no instruction set, or one that this processor lacks.
Status instruction_set_status();

// Those that this processor has, narrowest first.
std::vector<const char*> available_instruction_sets();

}  // namespace sampled_softmax
