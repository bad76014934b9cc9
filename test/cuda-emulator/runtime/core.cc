// cuemu_rt.cpp - the emulator's core: fibers, warp collectives, barriers, device memory, and the checks.
#include "runtime/core.h"
#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>
#include "runtime/runtime.h"
#include "runtime/settings.h"

namespace cuemu {
// ------------------------------------------------------------------------------------------------ fibers
enum State : uint8_t { Ready, WaitWarp, WaitBar, Done };
struct Copy {
  void* dst;
  const void* src;
  unsigned n, ns;
  uint32_t site;
};
struct Fiber {
  void* sp = nullptr;
  char* stack = nullptr;
  Thread t{};
  State state = Done;
  unsigned mask = 0;
  CollFn fn = nullptr;
  uint64_t imm = 0;
  Slot io{};
  const char* what = "";
  unsigned bar_id = 0, bar_count = 0;
  int bar_op = 0, bar_pred = 0, bar_result = 0;
  uint64_t bar_site = 0;
  std::vector<std::vector<Copy>> groups;
  std::vector<Copy> open;
  uint32_t coll_n = 0;  // collectives passed since the last barrier (orders accesses inside a warp)
};
static constexpr size_t kStack = 128 << 10, kMaxThreads = 1024;
static Fiber* const fib = new Fiber[kMaxThreads];
static Fiber* cur = nullptr;
static void* main_sp;
static const Kernel* kernel;
static const unsigned char* params;
static int launch_device;
static bool killed;
Thread* self;

extern "C" void cuemu_switch(void** save, void* to);
asm(R"(.text
.globl cuemu_switch
.hidden cuemu_switch
.type cuemu_switch,@function
cuemu_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi); movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.size cuemu_switch, .-cuemu_switch)");
static void to_main() { cuemu_switch(&cur->sp, main_sp); }
static void fiber_entry() {
  kernel->fn(params);
  cur->state = Done;
  to_main();
  abort();
}
static void resume(Fiber& f) {
  cur = &f;
  self = &f.t;
  cuemu_switch(&main_sp, f.sp);
  cur = nullptr;
}
static void arm(Fiber& f) {
  if (!f.stack) {  // guard page below each stack
    char* m =
        (char*)mmap(nullptr, kStack + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(m, 4096, PROT_NONE);
    f.stack = m + 4096;
  }
  void** s = (void**)(f.stack + kStack) - 2;
  *--s = nullptr;
  *--s = (void*)fiber_entry;
  s -= 6;
  memset(s, 0, 48);
  f.sp = s;
  f.state = Ready;
  f.coll_n = 0;
  f.groups.clear();
  f.open.clear();
}

// ------------------------------------------------------------------------------------------------ findings
static int fault;
static const char* kname = "";
const char* running_kernel() { return kname; }
std::string running_thread() {
  if (!cur) return "";
  char b[160];
  const Thread* t = self;
  snprintf(b, sizeof b, " [block %u,%u,%u thread %u,%u,%u]", t->ctaid.x, t->ctaid.y, t->ctaid.z, t->tid.x, t->tid.y,
           t->tid.z);
  return b;
}
void kernel_fault(int e, const std::string& text) {
  fault = e;
  report("fault", 0, text);
  killed = true;
  if (cur) {
    cur->state = Done;
    to_main();
  }
  abort();
}
struct Cell {
  uint32_t we, re;
  uint16_t wt, rt;
  uint16_t wn, rn;
  uint8_t watom, split;
};  // one 4-byte word's last write and read
static Cell *gshadow, *sshadow;
static auto& sub = *new std::unordered_map<uint64_t, Cell>;
static void reserve_shadow() {
  if (!gshadow)
    gshadow = (Cell*)mmap(nullptr, kArenaBytes / 4 * sizeof(Cell), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
void forget_accesses(uint64_t first, uint64_t bytes) {
  if (gshadow) madvise(gshadow + (first - arena_begin) / 4, bytes / 4 * sizeof(Cell), MADV_DONTNEED);
}

// ------------------------------------------------------------------------------------------------ shared memory
static char* smem;
static size_t smem_cap;
static uint32_t smem_static, smem_dyn;
char* shared_base() { return smem; }
uint32_t shared_size() { return smem_static + smem_dyn; }
// ------------------------------------------------------------------------------------------------ checks on each
// access
static uint32_t epoch = 1, block_e0 = 1, launch_e0 = 1;  // epoch grows at every barrier, block and launch
static unsigned preempt_left;
static uint64_t rng_state = 1;
static uint64_t rng() {
  rng_state ^= rng_state << 13;
  rng_state ^= rng_state >> 7;
  rng_state ^= rng_state << 17;
  return rng_state;
}
struct Group {
  uint64_t addr[32];
  uint32_t mask;
};
struct SiteLog {
  uint32_t n[32] = {};
  std::vector<Group> g;
  unsigned size = 0;
  Access acc = Read;
  bool shared = false, dirty = false;
};
static auto& logs = *new std::vector<SiteLog>;
static auto& dirty = *new std::vector<uint32_t>;
static auto& st = *new std::vector<Stat>;
static auto& kstats = *new std::map<std::string, KernelStat>;
static KernelStat* ks;
static auto& all = *new std::map<std::string, std::vector<Stat>>;
static auto& stats_mutex = *new std::mutex;
static auto& seen_sect =
    *new std::array<std::vector<uint64_t>, 2>;  // bitmaps of 32-byte sectors read / written by this launch

// Who touched a word last: a thread number, or "several lanes of warp w" (0x8000 + w), or "several warps" (0xffff).
static int warp_of(uint16_t t) { return t < 0x8000 ? t / 32 : t == 0xffff ? -1 : t - 0x8000; }
static bool ordered(uint32_t e, uint16_t t, uint16_t n,
                    bool global) {  // is that earlier access ordered before this one?
  if (e < (global ? launch_e0 : block_e0)) return true;
  if (e < block_e0) return false;                           // another block of this launch
  if (e < epoch || t == self->linear) return true;          // a barrier lies between, or it was this very thread
  return warp_of(t) == int(self->warp) && n < cur->coll_n;  // a warp collective lies between
}
static void race(Cell& c, Access a, uint32_t site, bool global, uint64_t addr) {
  const uint16_t me = self->linear, n = std::min<uint32_t>(cur->coll_n, 65534);
  auto bad = [&](const char* k, uint32_t e, uint16_t t, const char* kind = "race") {
    char b[200];
    snprintf(b, sizeof b, "%s: %s offset 0x%llx, %s %d", k, global ? "global" : "shared",
             (unsigned long long)(addr - (global ? arena_begin : (uint64_t)smem)),
             e < block_e0  ? "another block's thread"
             : t < 0x8000  ? "thread"
             : t == 0xffff ? "several warps, not only"
                           : "warp",
             t < 0x8000    ? t
             : t == 0xffff ? int(self->warp)
                           : warp_of(t));
    report(kind, site, b);
  };
  if (a != Write && !global && c.we < block_e0)
    report("initcheck", site,
           "shared memory read before anything wrote it, offset " + std::to_string(addr - (uint64_t)smem));
  if (!(a == Atomic && c.watom) && !ordered(c.we, c.wt, c.wn, global))
    bad(a == Read ? "read after unordered write" : "write after unordered write", c.we, c.wt,
        c.watom || a == Atomic ? "mixed atomic and plain access" : "race");
  if (a != Read) {
    if (!ordered(c.re, c.rt, c.rn, global))
      bad("write after unordered read", c.re, c.rt, a == Atomic ? "mixed atomic and plain access" : "race");
    c.we = epoch;
    c.wt = me;
    c.wn = n;
    c.watom = a == Atomic;
  } else if (c.re != epoch || c.rt == me) {
    c.re = epoch;
    c.rt = me;
    c.rn = n;
  } else {
    c.rt = warp_of(c.rt) == int(self->warp) ? 0x8000 + self->warp : 0xffff;
    c.rn = n;
  }
}
static void check_races(uint32_t site, uint64_t addr, unsigned size, Access a, bool shared) {
  for (uint64_t w = addr & ~3ull; w < addr + size;
       w += 4) {  // one cell per word; a word touched in parts gets a cell per byte
    Cell& c = shared ? sshadow[(w - (uint64_t)smem) / 4] : gshadow[(w - arena_begin) / 4];
    if (size < 4) {
      c.split = 1;
      for (unsigned i = 0; i < size; ++i) race(sub.try_emplace(addr + i, c).first->second, a, site, !shared, addr);
    } else {
      if (c.split)
        for (int i = 0; i < 4; ++i) race(sub.try_emplace(w + i, c).first->second, a, site, !shared, addr);
      race(c, a, site, !shared, addr);
    }
  }
}
void touch(uint32_t site, uint64_t addr, unsigned size, Access a, Kind kind) {
  if (!cur) return;
  const bool shared = addr - (uint64_t)smem < smem_cap, global = !shared && is_device_address(addr);
  if (addr % size)
    kernel_fault(716, "misaligned " + std::to_string(size) + "-byte access at " + cuemu::site(site).file + ":" +
                          std::to_string(cuemu::site(site).line));
  if (shared) {
    if (kind == GlobalSpace || kind == NcSpace) kernel_fault(717, "shared address used as global");
    if (addr - (uint64_t)smem + size > shared_size())
      kernel_fault(700, "shared access out of range: offset " + std::to_string(addr - (uint64_t)smem) + " of " +
                            std::to_string(shared_size()) + " at line " + std::to_string(cuemu::site(site).line));
  } else if (global) {
    Allocation* a = find_allocation(addr);
    if (!a || !a->live || !in_allocation(*a, addr, size))
      kernel_fault(700, "global access out of range, " +
                            std::string(!a         ? "no allocation"
                                        : !a->live ? "freed allocation"
                                                   : "offset " + std::to_string((char*)addr - a->base) + " of " +
                                                         std::to_string(a->size)) +
                            " at line " + std::to_string(cuemu::site(site).line));
    if (a->device != launch_device)
      kernel_fault(
          700, "memory of device " + std::to_string(a->device) + " used on device " + std::to_string(launch_device));
    if (a->seen_launch != launch_number()) {
      a->seen_launch = launch_number();
      check_stream_order(*a, cuemu::site(site).line);
    }
  } else {
    if (kind != AnySpace && !is_pinned((void*)addr))
      kernel_fault(700, "address 0x" + std::to_string(addr) + " is not device memory, line " +
                            std::to_string(cuemu::site(site).line));
    return;  // local, constant or host-mapped
  }
  if (kind == NcSpace && gshadow[(addr - arena_begin) / 4].we >= launch_e0)
    report("stale", site, "read-only load (const __restrict__, __ldg) of memory that this launch writes");
  check_races(site, addr, size, a, shared);
  const int merge = cuemu::site(site).merge;
  if (!settings().preempt && !merge) return;
  if (!settings().preempt) {  // log for coalescing: k-th execution of a site by each lane belongs together
    if (site >= logs.size()) {
      logs.resize(site + 64);
      st.resize(site + 64);
    }
    SiteLog& l = logs[site];
    if (!l.dirty) {
      l.dirty = true;
      dirty.push_back(site);
      l.size = size * merge;
      l.acc = a;
      l.shared = shared;
    }
    if (l.shared != shared) return;  // one piece of code used on both spaces: only the first is counted
    const uint32_t k = l.n[self->lane]++;
    if (k < 65536) {
      if (k >= l.g.size()) l.g.push_back(Group{{}, 0});
      l.g[k].addr[self->lane] = addr;
      l.g[k].mask |= 1u << self->lane;
    }
  } else if (preempt_left-- == 0) {
    preempt_left = rng() % (2 * settings().preempt);
    cur->state = Ready;
    to_main();
  }
}
static void flush_logs() {
  for (uint32_t s : dirty) {
    SiteLog& l = logs[s];
    Stat& q = st[s];
    q.shared = l.shared;
    q.acc = l.acc;
    for (Group& g : l.g) {
      q.requests++;
      q.lanes += std::popcount(g.mask);
      std::pair<uint64_t, uint32_t> sect[64];
      int n = 0;  // (32-byte sector, bytes touched in it)
      for (unsigned m = g.mask; m; m &= m - 1) {
        uint64_t a = g.addr[std::countr_zero(m)];
        for (unsigned done = 0; done < l.size;) {
          uint64_t b = (a + done) >> 5;
          unsigned o = (a + done) & 31, len = std::min(l.size - done, 32 - o);
          uint32_t bm = (len == 32 ? ~0u : ((1u << len) - 1)) << o;
          int i = n - 1;
          while (i >= 0 && sect[i].first != b) --i;
          if (i < 0) sect[n++] = {b, bm};
          else sect[i].second |= bm;
          done += len;
        }
      }
      unsigned bytes = 0;
      for (int i = 0; i < n; ++i) bytes += std::popcount(sect[i].second);
      q.bytes += bytes;
      if (!l.shared) {
        q.units += n;
        q.ideal += (bytes + 31) / 32;
        for (int i = 0; i < n; ++i)
          for (int rw = 0; rw < 2; ++rw)
            if (l.acc == Atomic || (l.acc == Write) == rw) {
              uint64_t id = sect[i].first - (arena_begin >> 5);
              auto& v = seen_sect[rw];
              if (id / 64 >= v.size()) v.resize(id / 64 + 4096);
              v[id / 64] |= 1ull << (id % 64);
            }
      } else {  // wavefronts: 32 banks of 4 bytes; 8- and 16-byte accesses go by half and quarter warps
        const int phases = l.size <= 4 ? 1 : l.size / 4, per = 32 / phases;
        for (int p = 0; p < phases; ++p) {
          std::vector<uint64_t> w;
          std::array<int, 32> cnt{};
          for (int i = p * per; i < (p + 1) * per; ++i)
            if (g.mask >> i & 1)
              for (unsigned o = 0; o < std::max(l.size, 4u); o += 4) w.push_back((g.addr[i] + o) >> 2);
          if (w.empty()) continue;
          std::sort(w.begin(), w.end());
          w.erase(std::unique(w.begin(), w.end()), w.end());
          for (uint64_t x : w) cnt[x % 32]++;
          int mx = *std::max_element(cnt.begin(), cnt.end());
          if (l.acc == Atomic && l.size == 4) {
          }  // same-address shared atomics also serialise; not modelled
          q.units += mx;
          q.ideal += 1;
        }
      }
    }
    l.g.clear();
    memset(l.n, 0, sizeof l.n);
    l.dirty = false;
  }
  dirty.clear();
}

// ------------------------------------------------------------------------------------------------ collectives and
// barriers
void collective(unsigned mask, CollFn fn, uint64_t imm, const void* in, void* out, const char* what) {
  Fiber& f = *cur;
  if (!(mask >> f.t.lane & 1)) kernel_fault(719, std::string(what) + ": the calling lane is not in its own mask");
  f.mask = mask;
  f.fn = fn;
  f.imm = imm;
  f.io = {in, out};
  f.what = what;
  f.state = WaitWarp;
  to_main();
}
static bool resolve(Fiber* w, unsigned lanes) {  // run every collective of this warp whose lanes have all arrived
  bool any = false;
  unsigned done = 0;
  for (unsigned i = 0; i < lanes; ++i) {
    if (w[i].state != WaitWarp || (done >> i & 1)) continue;
    unsigned m = w[i].mask, need = 0;
    bool all_here = true;
    for (unsigned j = 0; j < 32; ++j)
      if (m >> j & 1) {
        if (j >= lanes || w[j].state == Done) continue;  // lanes that have exited, or never were, need not come
        need |= 1u << j;
        if (w[j].state != WaitWarp) all_here = false;
        else if (w[j].fn != w[i].fn || w[j].mask != m || w[j].imm != w[i].imm) {
          if (w[j].mask >> i & 1) {
            report("synccheck", 0, std::string("divergent warp collective: ") + w[i].what + " meets " + w[j].what);
            fault = 719;
            killed = true;
            return false;
          }
          all_here = false;
        }
      }
    if (!all_here) continue;
    Slot s[32] = {};
    for (unsigned j = 0; j < lanes; ++j)
      if (need >> j & 1) s[j] = w[j].io;
    w[i].fn(s, need, w[i].imm);
    for (unsigned j = 0; j < lanes; ++j)
      if (need >> j & 1) {
        w[j].state = Ready;
        w[j].coll_n++;
      }
    done |= need;
    any = true;
    if (ks) ks->collectives++;
  }
  return any;
}
int barrier(unsigned id, unsigned count, int op, int pred, uint64_t where) {
  Fiber& f = *cur;
  f.bar_id = id;
  f.bar_count = count;
  f.bar_op = op;
  f.bar_pred = pred;
  f.bar_site = where ? where : (uint64_t)__builtin_return_address(0);
  f.state = WaitBar;
  to_main();
  return f.bar_result;
}
static bool release_barriers(unsigned nthreads) {
  bool any = false;
  for (unsigned id = 0; id < 16; ++id) {
    unsigned here = 0, live = 0, count = 0;
    int sum = 0;
    uint64_t site = 0;
    bool mixed = false;
    for (unsigned i = 0; i < nthreads; ++i) {
      if (fib[i].state != Done) ++live;
      if (fib[i].state == WaitBar && fib[i].bar_id == id) {
        ++here;
        count = fib[i].bar_count;
        sum += fib[i].bar_pred != 0;
        if (site && site != fib[i].bar_site) mixed = true;
        site = fib[i].bar_site;
      }
    }
    if (!here || here != (count ? count : live)) continue;
    if (mixed) report("synccheck", 0, "threads meet at one barrier from different places in the code");
    for (unsigned i = 0; i < nthreads; ++i)
      if (fib[i].state == WaitBar && fib[i].bar_id == id) {
        fib[i].bar_result = fib[i].bar_op == 1 ? sum : fib[i].bar_op == 2 ? sum == int(here) : sum > 0;
        fib[i].state = Ready;
      }
    if (here == live) {
      ++epoch;
      for (unsigned i = 0; i < nthreads; ++i) fib[i].coll_n = 0;
    }
    any = true;
    if (ks) ks->barriers++;
  }
  return any;
}
static void order(std::vector<unsigned>& v, unsigned n) {
  v.resize(n);
  for (unsigned i = 0; i < n; ++i) v[i] = settings().order == Settings::Order::Reverse ? n - 1 - i : i;
  if (settings().order == Settings::Order::Random)
    for (unsigned i = n; i > 1; --i) std::swap(v[i - 1], v[rng() % i]);
}
static bool run_block(unsigned n) {
  static auto& wo = *new std::vector<unsigned>;
  static auto& lo = *new std::vector<unsigned>;
  const unsigned warps = (n + 31) / 32;
  for (;;) {
    bool progress = false, live = false;
    order(wo, warps);
    for (unsigned wi : wo) {
      Fiber* w = &fib[wi * 32];
      const unsigned lanes = std::min(32u, n - wi * 32);
      for (;;) {  // this warp goes as far as it can (most skew), or stops early in random order
        bool ran = false;
        order(lo, lanes);
        for (unsigned i : lo)
          if (w[i].state == Ready) {
            resume(w[i]);
            ran = true;
            if (killed) return false;
          }
        if (ran && !settings().preempt) flush_logs();
        ran |= resolve(w, lanes);
        if (killed) return false;
        progress |= ran;
        if (!ran || (settings().order == Settings::Order::Random && (rng() & 3) == 0)) break;
      }
    }
    for (unsigned i = 0; i < n; ++i) live |= fib[i].state != Done;
    if (!live) return true;
    if (!progress && !release_barriers(n)) {
      std::string s = "deadlock:";
      unsigned shown = 0;
      for (unsigned i = 0; i < n && shown < 6; ++i)
        if (fib[i].state != Done) {
          s += " t" + std::to_string(i) + (fib[i].state == WaitBar ? " at barrier" : std::string(" at ") + fib[i].what);
          ++shown;
        }
      fault = 719;
      report("synccheck", 0, s);
      killed = true;
      return false;
    }
  }
}
static void place_vars(int device);
int launch(const Kernel& k_, const Config& c, const unsigned char* params_, int device) {
  reserve_shadow();
  {
    std::lock_guard lock(runtime_mutex());
    place_vars(device);
  }
  std::lock_guard stats_lock(stats_mutex);
  const char* name = k_.name;
  const uint32_t static_smem = k_.static_smem;
  const unsigned n = c.block.x * c.block.y * c.block.z;
  if (!smem) {
    smem_cap = 256 << 10;
    smem = (char*)mmap(nullptr, smem_cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sshadow = (Cell*)calloc(smem_cap / 4, sizeof(Cell));
  }
  kname = name;
  killed = false;
  fault = 0;
  kernel = &k_;
  params = params_;
  launch_device = device;
  smem_static = (static_smem + 15) & ~15u;
  smem_dyn = c.dyn_smem;
  ks = &kstats[name];
  ks->kernel = name;
  ks->launches++;
  ks->threads += uint64_t(n) * c.grid.x * c.grid.y * c.grid.z;
  st.assign(logs.size(), Stat{});
  for (auto& v : seen_sect) std::fill(v.begin(), v.end(), 0);
  launch_e0 = ++epoch;
  rng_state = settings().seed * 0x9e3779b97f4a7c15ull + 0x1234567;
  preempt_left = settings().preempt;
  const uint64_t blocks = uint64_t(c.grid.x) * c.grid.y * c.grid.z;
  for (uint64_t k = 0; k < blocks && !killed; ++k) {
    uint64_t i = settings().order == Settings::Order::Forward   ? k
                 : settings().order == Settings::Order::Reverse ? blocks - 1 - k
                                                                : (k * 0x9e3779b1ull + settings().seed) % blocks;
    if (settings().order == Settings::Order::Random && std::gcd(blocks, uint64_t(0x9e3779b1)) != 1) i = k;
    block_e0 = ++epoch;
    sub.clear();
    memset(smem, 0xff, smem_static + smem_dyn);
    for (unsigned t = 0; t < n; ++t) {
      Fiber& f = fib[t];
      arm(f);
      f.t = {{t % c.block.x, t / c.block.x % c.block.y, t / c.block.x / c.block.y},
             {unsigned(i % c.grid.x), unsigned(i / c.grid.x % c.grid.y), unsigned(i / c.grid.x / c.grid.y)},
             c.block,
             c.grid,
             t % 32,
             t / 32,
             t};
    }
    run_block(n);
    flush_logs();
  }
  for (int rw = 0; rw < 2; ++rw)
    for (uint64_t w : seen_sect[rw]) (rw ? ks->dram_write : ks->dram_read) += 32 * std::popcount(w);
  auto& tot = all[name];
  tot.resize(std::max(tot.size(), st.size()));
  for (size_t i = 0; i < st.size(); ++i)
    if (st[i].requests) {
      auto& q = tot[i];
      q.requests += st[i].requests;
      q.lanes += st[i].lanes;
      q.bytes += st[i].bytes;
      q.units += st[i].units;
      q.ideal += st[i].ideal;
      q.shared = st[i].shared;
      q.acc = st[i].acc;
    }
  ks = nullptr;
  kname = "";
  return killed ? fault : 0;
}

// ------------------------------------------------------------------------------------------------ warp primitives
struct ShflIn {
  uint32_t v, b, c;
};
struct ShflOut {
  uint32_t v;
  bool ok;
};
uint32_t shfl(int kind, unsigned mask, uint32_t v, uint32_t b, uint32_t c, bool* ok) {
  ShflIn in{v, b, c};
  ShflOut out{};
  collective(
      mask,
      [](const Slot* s, unsigned m, uint64_t kind) {
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1) {
            const ShflIn& x = *(const ShflIn*)s[i].in;
            ShflOut& o = *(ShflOut*)s[i].out;
            const int bval = x.b & 31, cval = x.c & 31, seg = x.c >> 8 & 31, maxl = (i & seg) | (cval & ~seg),
                      minl = i & seg;
            int j = 0;
            bool p = false;
            switch (kind) {
              case 0:
                j = minl | (bval & ~seg);
                p = j <= maxl;
                break;
              case 1:
                j = i - bval;
                p = j >= maxl;
                break;
              case 2:
                j = i + bval;
                p = j <= maxl;
                break;
              default: j = i ^ bval; p = j <= maxl;
            }
            if (!p) j = i;
            if (!(m >> j & 1)) {
              report("synccheck", 0,
                     "shfl reads lane " + std::to_string(j) + ", which is not in the mask or has exited");
              o = {0xffffffffu, false};
              continue;
            }
            o = {((const ShflIn*)s[j].in)->v, p};
          }
      },
      kind, &in, &out, "shfl");
  if (ok) *ok = out.ok;
  return out.v;
}
uint32_t ballot(unsigned mask, bool p) {
  uint32_t in = p, out = 0;
  collective(
      mask,
      [](const Slot* s, unsigned m, uint64_t) {
        uint32_t r = 0;
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1 && *(const uint32_t*)s[i].in) r |= 1u << i;
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1) *(uint32_t*)s[i].out = r;
      },
      0, &in, &out, "vote");
  return out;
}
uint32_t match_any(unsigned mask, uint64_t v) {
  uint32_t out = 0;
  collective(
      mask,
      [](const Slot* s, unsigned m, uint64_t) {
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1) {
            uint32_t r = 0;
            for (int j = 0; j < 32; ++j)
              if (m >> j & 1 && *(const uint64_t*)s[j].in == *(const uint64_t*)s[i].in) r |= 1u << j;
            *(uint32_t*)s[i].out = r;
          }
      },
      0, &v, &out, "match");
  return out;
}
uint32_t redux(int kind, unsigned mask, uint32_t v) {
  uint32_t out = 0;
  collective(
      mask,
      [](const Slot* s, unsigned m, uint64_t kind) {
        uint32_t r = 0;
        bool first = true;
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1) {
            uint32_t x = *(const uint32_t*)s[i].in;
            if (first) {
              r = x;
              first = false;
              continue;
            }
            switch (kind) {
              case 0: r += x; break;
              case 1: r = std::min(int32_t(r), int32_t(x)); break;
              case 2: r = std::max(int32_t(r), int32_t(x)); break;
              case 3: r = std::min(r, x); break;
              case 4: r = std::max(r, x); break;
              case 5: r &= x; break;
              case 6: r |= x; break;
              default: r ^= x;
            }
          }
        for (int i = 0; i < 32; ++i)
          if (m >> i & 1) *(uint32_t*)s[i].out = r;
      },
      kind, &v, &out, "redux");
  return out;
}
unsigned activemask() { return 1u << self->lane; }  // the least the hardware may answer

float approx(float v) {
  if (!settings().noise || !(std::fabs(v) > 1e-37f && std::fabs(v) < 1e38f) || v == 1.f) return v;
  return bits<float>(bits<uint32_t>(v) + uint32_t(rng() % 5) - 2);
}

// ------------------------------------------------------------------------------------------------ tensor cores
struct MmaIn {
  const float* c;
  const uint32_t *a, *b;
};
void mma_sync(Mma shape, float* d, const uint32_t* a, const uint32_t* b) {
  MmaIn in{d, a, b};
  collective(
      ~0u,
      [](const Slot* s, unsigned m, uint64_t shape) {
        if (m != ~0u) {
          report("synccheck", 0, "mma.sync without all 32 lanes");
          return;
        }
        const bool tf = shape <= M16N8K8_TF32, bf = shape == M16N8K8_BF16 || shape == M16N8K16_BF16;
        const int K = shape == M16N8K4_TF32 ? 4 : (shape == M16N8K16_BF16 || shape == M16N8K16_F16) ? 16 : 8;
        float A[16][16], B[16][8], C[16][8];
        auto half = [&](uint32_t r, int hi) {
          uint16_t h = r >> (hi * 16);
          return bf ? bf16f(h) : f16f(h);
        };
        auto tf32 = [](uint32_t r) { return bits<float>(r & 0xffffe000u); };  // the hardware ignores the low 13 bits
        for (int l = 0; l < 32; ++l) {
          const MmaIn& x = *(const MmaIn*)s[l].in;
          const int g = l >> 2, q = l & 3;
          if (tf) {
            A[g][q] = tf32(x.a[0]);
            A[g + 8][q] = tf32(x.a[1]);
            B[q][g] = tf32(x.b[0]);
            if (K == 8) {
              A[g][q + 4] = tf32(x.a[2]);
              A[g + 8][q + 4] = tf32(x.a[3]);
              B[q + 4][g] = tf32(x.b[1]);
            }
          } else
            for (int h = 0; h < 2; ++h) {
              A[g][q * 2 + h] = half(x.a[0], h);
              A[g + 8][q * 2 + h] = half(x.a[1], h);
              B[q * 2 + h][g] = half(x.b[0], h);
              if (K == 16) {
                A[g][q * 2 + 8 + h] = half(x.a[2], h);
                A[g + 8][q * 2 + 8 + h] = half(x.a[3], h);
                B[q * 2 + 8 + h][g] = half(x.b[1], h);
              }
            }
          C[g][q * 2] = x.c[0];
          C[g][q * 2 + 1] = x.c[1];
          C[g + 8][q * 2] = x.c[2];
          C[g + 8][q * 2 + 1] = x.c[3];
        }
        for (int i = 0; i < 16; ++i)
          for (int j = 0; j < 8;
               ++j) {  // one wide sum, cut off toward zero: the tensor cores truncate, they do not round
            double t = C[i][j];
            for (int k = 0; k < K; ++k) t += double(A[i][k]) * B[k][j];
            const float r = float(t);
            C[i][j] = std::fabs(double(r)) > std::fabs(t) ? std::nextafter(r, 0.f) : r;
          }
        for (int l = 0; l < 32; ++l) {
          float* o = (float*)s[l].out;
          const int g = l >> 2, q = l & 3;
          o[0] = C[g][q * 2];
          o[1] = C[g][q * 2 + 1];
          o[2] = C[g + 8][q * 2];
          o[3] = C[g + 8][q * 2 + 1];
        }
      },
      shape, &in, d, "mma");
}
void ldmatrix(uint32_t* r, int n, const void* row, bool trans) {
  uint64_t p = (uint64_t)row;
  collective(
      ~0u,
      [](const Slot* s, unsigned, uint64_t imm) {
        const int n = imm & 7;
        const bool tr = imm & 8;
        uint16_t M[4][8][8];
        for (int i = 0; i < n; ++i)
          for (int j = 0; j < 8; ++j) memcpy(M[i][j], *(void* const*)s[i * 8 + j].in, 16);
        for (int l = 0; l < 32; ++l)
          for (int i = 0; i < n; ++i) {
            const int a = l >> 2, b = (l & 3) * 2;
            ((uint32_t*)s[l].out)[i] =
                tr ? M[i][b][a] | uint32_t(M[i][b + 1][a]) << 16 : M[i][a][b] | uint32_t(M[i][a][b + 1]) << 16;
          }
      },
      n | (trans ? 8 : 0), &p, r, "ldmatrix");
}
static void do_copy(const Copy& c) {
  if (c.site) check_races(c.site, (uint64_t)c.dst, c.n, Write, true);
  memcpy(c.dst, storage(c.src), c.ns);
  memset((char*)c.dst + c.ns, 0, c.n - c.ns);
}
void cp_async(void* dst, const void* src, unsigned n, unsigned ns, uint32_t site) {
  Copy c{dst, src, n, std::min(n, ns), site};
  if (settings().early_copies) do_copy(c);
  else cur->open.push_back(c);
}
void cp_async_commit() {
  cur->groups.push_back(std::move(cur->open));
  cur->open.clear();
}
void cp_async_wait(unsigned leave) {
  auto& g = cur->groups;
  size_t k = g.size() > leave ? g.size() - leave : 0;
  for (size_t i = 0; i < k; ++i)
    for (auto& c : g[i]) do_copy(c);
  g.erase(g.begin(), g.begin() + k);
}

// ------------------------------------------------------------------------------------------------ registry and
// statistics
static std::map<std::string, const Kernel*>& kernels() {
  static auto& m = *new std::map<std::string, const Kernel*>;
  return m;
}
struct Placed {
  Var var;
  std::map<int, Allocation*> by_device;
};
static std::vector<Placed>& vars() {
  static auto& v = *new std::vector<Placed>;
  return v;
}
void register_kernel(const Kernel* k) { kernels()[k->name] = k; }
const Kernel* find_kernel(const std::string& n) {
  auto it = kernels().find(n);
  return it == kernels().end() ? nullptr : it->second;
}
void register_var(const Var& v) { vars().push_back({v, {}}); }
static Allocation* placed(Placed& p, int device) {
  Allocation*& a = p.by_device[device];
  if (!a || !a->live) {
    a = allocate(device, p.var.size);
    memcpy(storage(a->base), p.var.init, p.var.size);
  }
  return a;
}
static void place_vars(int device) {
  for (Placed& p : vars()) *p.var.addr = (unsigned char*)placed(p, device)->base;
}
Allocation* find_var(const std::string& n, int device) {
  Allocation* found = nullptr;
  for (Placed& p : vars())
    if (p.var.name == n) {
      if (found) {
        report("api", 0, "two translated files have a variable " + n + ": which one is meant cannot be told");
        return nullptr;
      }
      found = placed(p, device);
    }
  return found;
}
std::vector<KernelStat> stats() {
  std::vector<KernelStat> r;
  for (auto& [n, k] : kstats) {
    r.push_back(k);
    auto& v = all[n];
    for (size_t i = 0; i < v.size(); ++i)
      if (v[i].requests) r.back().sites.push_back({uint32_t(i), v[i]});
  }
  return r;
}
static std::vector<std::pair<uint64_t, std::string>> executed(const std::string& kernel) {
  std::map<std::string, uint64_t> mix;
  std::vector<std::pair<uint64_t, std::string>> v;
  if (const Kernel* k = find_kernel(kernel))
    for (size_t b = 0; b < k->mix->size(); ++b)
      for (auto& [op, n] : (*k->mix)[b]) mix[op] += n * k->block_counts[b];
  for (auto& [o, n] : mix) v.push_back({n, o});
  std::sort(v.rbegin(), v.rend());
  return v;
}
bool write_stats(const char* path) {
  std::lock_guard lock(stats_mutex);
  FILE* f = fopen(path, "w");
  if (!f) return false;
  fprintf(f, "[");
  const char* sep = "";
  for (auto& k : stats()) {
    uint64_t g[2] = {}, sh[2] = {};
    for (auto& [id, q] : k.sites) {
      (q.shared ? sh : g)[0] += q.units;
      (q.shared ? sh : g)[1] += q.ideal;
    }
    fprintf(f,
            "%s{\"kernel\": \"%s\", \"launches\": %llu, \"threads\": %llu, \"read\": %llu, \"written\": %llu, "
            "\"sectors\": %llu, \"ideal_sectors\": %llu, \"wavefronts\": %llu, \"ideal_wavefronts\": %llu, "
            "\"barriers\": %llu, \"ops\": {",
            sep, k.kernel.c_str(), (unsigned long long)k.launches, (unsigned long long)k.threads,
            (unsigned long long)k.dram_read, (unsigned long long)k.dram_write, (unsigned long long)g[0],
            (unsigned long long)g[1], (unsigned long long)sh[0], (unsigned long long)sh[1],
            (unsigned long long)k.barriers);
    const char* s2 = "";
    for (auto& [n, op] : executed(k.kernel)) {
      if (n) fprintf(f, "%s\"%s\": %llu", s2, op.c_str(), (unsigned long long)n);
      s2 = ", ";
    }
    fprintf(f, "}}");
    sep = ",\n ";
  }
  fprintf(f, "]\n");
  return fclose(f) == 0;
}
void print_stats() {
  std::lock_guard lock(stats_mutex);
  for (auto& k : stats()) {
    printf(
        "kernel %s: launches %llu threads %llu collectives %llu barriers %llu; unique sectors: read %.3f MB, written "
        "%.3f MB\n",
        k.kernel.c_str(), (unsigned long long)k.launches, (unsigned long long)k.threads,
        (unsigned long long)k.collectives, (unsigned long long)k.barriers, k.dram_read / 1e6, k.dram_write / 1e6);
    std::map<std::tuple<bool, int, int, std::string>, Stat>
        by;  // the compiler's copies of one source line (unrolling) are summed
    for (auto& [id, s] : k.sites) {
      Stat& q = by[{s.shared, cuemu::site(id).line, int(s.acc), cuemu::site(id).what}];
      q.requests += s.requests;
      q.lanes += s.lanes;
      q.bytes += s.bytes;
      q.units += s.units;
      q.ideal += s.ideal;
    }
    for (auto& [key, s] : by) {
      const Site si{"", std::get<1>(key), std::get<3>(key).c_str(), 1};
      s.shared = std::get<0>(key);
      s.acc = Access(std::get<2>(key));
      printf(
          "  %-7s %-6s line %-4d %-30.30s requests %9llu lanes/req %4.1f bytes/lane %4.1f %s/req %5.2f ideal %5.2f "
          "efficiency %5.1f%%\n",
          s.shared ? "shared" : "global",
          s.acc == Read    ? "read"
          : s.acc == Write ? "write"
                           : "atomic",
          si.line, si.what, (unsigned long long)s.requests, double(s.lanes) / s.requests, double(s.bytes) / s.lanes,
          s.shared ? "wavefronts" : "sectors", double(s.units) / s.requests, double(s.ideal) / s.requests,
          100.0 * s.ideal / s.units);
    }
    const auto v = executed(k.kernel);
    uint64_t tot = 0;
    for (auto& [n, op] : v) tot += n;
    if (tot) {
      printf("  executed PTX instructions (per thread, summed): %llu:", (unsigned long long)tot);
      for (size_t i = 0; i < v.size() && i < 10; ++i)
        printf(" %s %.1f%%", v[i].second.c_str(), 100.0 * v[i].first / tot);
      printf("\n");
    }
  }
}
}  // namespace cuemu
