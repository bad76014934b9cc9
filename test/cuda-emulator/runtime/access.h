// Every access of a checked kernel to memory comes through here: bounds, alignment, whose memory it is, then the checks
// of order (races.h), of fresh memory (written.h) and the count of memory traffic (traffic.h).
#pragma once
#include <cstdint>

namespace cuemu {

enum class Access : uint8_t { Read, Write, Update };

enum class Space : uint8_t {
  Generic,
  Global,
  Shared,
  ReadOnly,  // ld.global.nc: may answer from a cache that does not see writes of this launch
};

void check_access(uint32_t site, uint64_t address, unsigned size, Access access, Space space, bool strong);

extern const uint64_t shared_begin;  // where the shared memory of the running block is; kernels know its offsets
constexpr uint32_t kSharedBytes = 256 << 10;
uint32_t shared_size();  // static and dynamic, of the running launch
uint32_t dynamic_shared_size();

}  // namespace cuemu
