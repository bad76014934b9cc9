#include "cpu/dispatch.h"

#include "core/instruction_set.h"

namespace sampled_softmax {

const KernelSet& kernels() {
  switch (instruction_set()) {
#if defined(__x86_64__)
    case InstructionSet::avx2: return avx2_kernels();
    case InstructionSet::avx512: return avx512_kernels();
    case InstructionSet::avx512bf16: return avx512bf16_kernels();
    case InstructionSet::amx: return amx_kernels();
#elif defined(__aarch64__)
    case InstructionSet::neon: return neon_kernels();
#endif
    default: return baseline_kernels();
  }
}

}  // namespace sampled_softmax
