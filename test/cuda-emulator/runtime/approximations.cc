#include "runtime/lane.h"
#include "runtime/ptx/floats.h"
#include "runtime/settings.h"

namespace cuemu::ptx {

f32 noisy(f32 exact, int units) {
  const bool may_err = settings().noise && std::isnormal(exact) && exact != 1;  // one is exact in every implementation
  if (!may_err) return canonical(exact);
  const auto step = s32(schedule.below(2 * u64(units) + 1)) - units;
  const f32 wrong = as<f32>(raw(exact) + u32(step));
  return std::isnormal(wrong) ? wrong : exact;
}

}  // namespace cuemu::ptx
