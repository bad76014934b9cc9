// What a kernel running on the emulator needs: thread identity, warp collectives, barriers, memory checks. All of it
// runs on the device thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/clock.h"
#include "runtime/findings.h"
#include "runtime/memory.h"

namespace cuemu {

struct U3 {
  unsigned x, y, z;
};
struct Thread {
  U3 tid, ctaid, ntid, nctaid;
  unsigned lane, warp, linear;
};
extern Thread* self;  // the lane now running

// ---- warp collectives: every lane named in mask arrives, then fn runs once over all lanes' slots
struct Slot {
  const void* in;
  void* out;
};
using CollFn = void (*)(const Slot* slots, unsigned mask, uint64_t imm);
void collective(unsigned mask, CollFn fn, uint64_t imm, const void* in, void* out, const char* what);
inline void syncwarp(unsigned mask) {
  collective(
      mask, [](const Slot*, unsigned, uint64_t) {}, 0, nullptr, nullptr, "syncwarp");
}
uint32_t shfl(int kind, unsigned mask, uint32_t v, uint32_t b, uint32_t c,
              bool* ok = nullptr);  // kind 0 idx 1 up 2 down 3 bfly
uint32_t ballot(unsigned mask, bool p);
uint32_t match_any(unsigned mask, uint64_t v);
uint32_t redux(int kind, unsigned mask, uint32_t v);  // 0 add 1 min.s 2 max.s 3 min.u 4 max.u 5 and 6 or 7 xor
unsigned activemask();
// ---- block barrier; count 0 = every thread that has not exited. op: 0 none 1 popc 2 and 3 or
int barrier(unsigned id, unsigned count, int op, int pred, uint64_t where);

// ---- tensor cores and ldmatrix, by the PTX ISA's fragment layouts
enum Mma { M16N8K4_TF32, M16N8K8_TF32, M16N8K8_BF16, M16N8K16_BF16, M16N8K8_F16, M16N8K16_F16 };
void mma_sync(Mma shape, float* d, const uint32_t* a, const uint32_t* b);  // d += a.b, in place
void ldmatrix(uint32_t* r, int n, const void* row, bool trans = false);
// ---- cp.async: done at the wait (or at issue, when the schedule says so): both are legal
void cp_async(void* dst, const void* src, unsigned bytes, unsigned src_bytes, uint32_t site);
void cp_async_commit();
void cp_async_wait(unsigned leave);

// ---- memory checks
enum Access : uint8_t { Read, Write, Atomic };
enum Kind : uint8_t {
  AnySpace,
  GlobalSpace,
  SharedSpace,
  NcSpace
};  // NcSpace: ld.global.nc, which may answer from a stale cache
void touch(uint32_t site, uint64_t addr, unsigned size, Access a, Kind k);
void forget_accesses(uint64_t first, uint64_t bytes);  // of freed memory; whole pages
char* shared_base();
uint32_t shared_size();

// ---- launching
struct Config {
  U3 grid, block;
  size_t dyn_smem;
};
struct Kernel {  // what the translator emits, one per .entry
  const char* name;
  void (*fn)(const unsigned char* params);
  uint32_t static_smem, param_bytes;
  std::vector<std::pair<uint32_t, uint32_t>> params;  // offset and size
  int max_threads;
  uint64_t* block_counts;
  const std::vector<std::vector<std::pair<const char*, int>>>* mix;
};
struct Var {
  const char* name;
  unsigned char** addr;
  const void* init;
  size_t size;
};  // a module variable; each device has its own
void register_kernel(const Kernel*);
const Kernel* find_kernel(const std::string& name);
void register_var(const Var&);
Allocation* find_var(const std::string& name, int device);  // needs the runtime's mutex
// Runs a grid to its end; returns a CUDA error, 0 if none.
int launch(const Kernel& kernel, const Config& c, const unsigned char* params, int device);

const char* running_kernel();  // "" outside of one
std::string running_thread();  // " [block ... thread ...]"

// ---- statistics
struct Stat {
  uint64_t requests, lanes, bytes, units, ideal;
  bool shared;
  Access acc;
};  // units: 32-byte sectors, or shared wavefronts
struct KernelStat {
  std::string kernel;
  uint64_t launches = 0, threads = 0, collectives = 0, barriers = 0, dram_read = 0, dram_write = 0;
  std::vector<std::pair<uint32_t, Stat>> sites;
};
std::vector<KernelStat> stats();
void print_stats();
bool write_stats(const char* json_path);
[[noreturn]] void kernel_fault(int cuda_error, const std::string& text);  // the launch dies, as it would on a GPU

// ---- scalar helpers
template <class To, class From>
inline To bits(const From& f) {
  static_assert(sizeof(To) == sizeof(From));
  To t;
  std::memcpy(&t, &f, sizeof t);
  return t;
}
float approx(float v);  // what an .approx instruction may answer instead of the exact v
inline float bf16f(uint16_t h) { return bits<float>(uint32_t(h) << 16); }
inline uint16_t fbf16(float f) {
  uint32_t u = bits<uint32_t>(f);
  if ((u & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return uint16_t((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}
inline float f16f(uint16_t h) { return float(bits<_Float16>(h)); }
inline uint16_t ff16(float f) { return bits<uint16_t>(_Float16(f)); }
inline uint32_t cvt_rna_tf32(float f) {
  uint32_t u = bits<uint32_t>(f);
  if ((u & 0x7f800000) == 0x7f800000) return u;
  return (u + 0x1000) & 0xffffe000;
}
}  // namespace cuemu
