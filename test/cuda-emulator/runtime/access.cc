#include "runtime/access.h"

#include <sys/mman.h>

#include <bit>
#include <cstdio>

#include "runtime/address_space.h"
#include "runtime/findings.h"
#include "runtime/lane.h"
#include "runtime/memory.h"
#include "runtime/pinned.h"
#include "runtime/races.h"
#include "runtime/settings.h"
#include "runtime/stream_order.h"
#include "runtime/streams.h"
#include "runtime/traffic.h"
#include "runtime/written.h"

namespace cuemu {
namespace {

// The launch dies, with the place in the source in front of the reason.
template <class... Arguments>
[[noreturn, gnu::noinline]] void bad_access(Fault fault, uint32_t number, const char* format, Arguments... arguments) {
  char why[300];
  std::snprintf(why, sizeof why, format, arguments...);
  kernel_fault(fault, "%s at %s:%d: %s", site(number).what, site(number).file, site(number).line, why);
}

void check_shared(uint32_t number, uint64_t offset, unsigned size, Space space) {
  if (space == Space::Global || space == Space::ReadOnly)
    bad_access(kInvalidAddressSpace, number, "a shared address is used as a global one");
  if (offset + size > shared_size())
    bad_access(kIllegalAddress, number, "shared offset %u of %u bytes", unsigned(offset), shared_size());
}

void check_global(uint32_t number, uint64_t address, unsigned size, Access access) {
  Allocation* a = find_allocation(address);
  if (!a || !a->live || !in_allocation(*a, address, size))
    bad_access(kIllegalAddress, number, "%u bytes at %s", size, describe_address(address).c_str());
  if (a->device != launch.device)
    bad_access(kIllegalAddress, number, "memory of device %d is used on device %d", a->device, launch.device);
  if (a->checked_launch != operation_number()) {
    a->checked_launch = operation_number();
    kernel_uses(*a);
  }
  if (!a->unordered.empty()) kernel_touches(*a, number, address, size, access != Access::Read);
  if (access != Access::Write && !is_written(address, size))
    report("initcheck", number, "device memory is read before anything wrote it, " + describe_address(address));
  if (access != Access::Read) mark_written(address, size);
}

bool is_local_or_parameter(uint64_t address) {
  const auto parameters = reinterpret_cast<uint64_t>(launch.parameters);
  return Fiber::is_on_stack(reinterpret_cast<void*>(address)) || address - parameters < launch.kernel->parameter_bytes;
}

// Without it, lanes change only where one has to wait.
void maybe_preempt() {
  static uint64_t left = settings().preempt;
  if (left-- > 0) return;
  left = schedule.below(2 * settings().preempt);
  yield_thread();
}

}  // namespace

const uint64_t shared_begin = reinterpret_cast<uint64_t>(reserve_addresses(kSharedBytes, PROT_READ | PROT_WRITE));
uint32_t dynamic_shared_size() { return launch.dynamic_shared; }
uint32_t shared_size() { return (launch.kernel->static_shared + 15) / 16 * 16 + launch.dynamic_shared; }

void check_access(uint32_t number, uint64_t address, unsigned size, Access access, Space space, bool strong) {
  const uint64_t offset = address - shared_begin;
  const bool shared = offset < kSharedBytes;
  if (address & (std::bit_ceil(size) - 1))
    bad_access(kMisalignedAddress, number, "%u bytes at a misaligned address", size);
  if (shared) {
    check_shared(number, offset, size, space);
  } else if (is_device_address(address)) {
    check_global(number, address, size, access);
  } else {
    const bool own = space == Space::Generic && is_local_or_parameter(address);
    if (!own && !is_pinned(reinterpret_cast<void*>(address)))
      bad_access(kIllegalAddress, number, "%#llx is not device memory", static_cast<unsigned long long>(address));
    return;  // its own, or page-locked memory of the host
  }
  check_races({number, address, size, access, strong, space == Space::ReadOnly, shared});
  if (counting()) count_access(number, address, size, access, shared);
  if (settings().preempt) maybe_preempt();
}

}  // namespace cuemu
