// The kernels of the instruction set in use.
#pragma once

#include "cpu/kernels/kernels.h"

namespace sampled_softmax {

const KernelSet& kernels();

}  // namespace sampled_softmax
