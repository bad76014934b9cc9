#include "runtime/launch.h"

#include <mutex>
#include <numeric>

#include "runtime/block.h"
#include "runtime/lane.h"
#include "runtime/modules.h"
#include "runtime/order.h"
#include "runtime/runtime.h"
#include "runtime/settings.h"
#include "runtime/traffic.h"
#include "runtime/written.h"

namespace cuemu {
namespace {

// The blocks of a grid in the order in which they run.
class BlockOrder {
 public:
  explicit BlockOrder(uint64_t blocks) : blocks_(blocks), offset_(schedule() % blocks) {}

  uint64_t operator[](uint64_t k) const {
    switch (settings().order) {
      case Settings::Order::Forward: return k;
      case Settings::Order::Reverse: return blocks_ - 1 - k;
      case Settings::Order::Random: break;
    }
    constexpr uint64_t kStride = 0x9e3779b1;
    return (std::gcd(blocks_, kStride) == 1 ? k * kStride + offset_ : k + offset_) % blocks_;
  }

 private:
  uint64_t blocks_, offset_;
};

// Every launch has a schedule of its own, so that a second run of the same work shows whether its bits depend on it.
Random next_schedule() {
  static uint64_t launches = 0;
  return Random(settings().seed + launches++);
}

}  // namespace

int run_grid(const Kernel& kernel, const Grid& grid, const unsigned char* parameters, int device) {
  {
    std::lock_guard lock(runtime_mutex());
    place_variables(device);
    if (!kernel.checked) mark_all_written(device);  // by a kernel that does not say what it writes
  }
  const Index3 n = grid.blocks, threads = grid.threads;
  launch = {&kernel, parameters, n, threads, grid.dynamic_shared, device, threads.x * threads.y * threads.z, 0};
  schedule = next_schedule();
  const uint64_t blocks = uint64_t(n.x) * n.y * n.z;
  const BlockOrder order(blocks);
  start_launch_order();
  start_counting(blocks * launch.threads);
  for (uint64_t k = 0; k < blocks && !launch.fault; ++k) {
    const uint64_t i = order[k];
    run_block({unsigned(i % n.x), unsigned(i / n.x % n.y), unsigned(i / n.x / n.y)});
  }
  stop_counting(kernel.name);
  launch.kernel = nullptr;
  return launch.fault;
}

}  // namespace cuemu
