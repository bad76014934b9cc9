// Everything that a translated file uses.
#pragma once
#pragma GCC optimize("fp-contract=off")  // PTX says fma where it means it; g++ fuses unless told not to

#include "runtime/barrier.h"
#include "runtime/console.h"
#include "runtime/kernel.h"
#include "runtime/ptx/bits.h"
#include "runtime/ptx/floats.h"
#include "runtime/ptx/integers.h"
#include "runtime/ptx/memory.h"
#include "runtime/thread.h"
#include "runtime/warp.h"
