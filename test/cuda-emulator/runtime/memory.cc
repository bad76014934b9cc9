#include "runtime/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/findings.h"
#include "runtime/races.h"
#include "runtime/written.h"

namespace cuemu {

uint64_t arena_begin = 0;

namespace {

constexpr size_t kPage = 4096;
uint64_t next_page = 0;                             // offset of the next unused address
auto& allocations = *new std::vector<Allocation*>;  // all that ever were
std::atomic<Allocation*>* page_owner = nullptr;

struct sigaction previous;

// Says whose mistake a segmentation fault in device memory is. Others go to whoever handled them before (V8 does).
void explain_fault(int signal, siginfo_t* info, void* context) {
  const uint64_t address = reinterpret_cast<uint64_t>(info->si_addr);
  const uint64_t offset = address - arena_begin;
  if (offset >= 2 * kArenaBytes) {
    if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  }
  char line[400];
  int n;
  if (offset < kArenaBytes)
    n = std::snprintf(line, sizeof line, "cuemu: SEGV: host code touched device memory at %p\n", info->si_addr);
  else if (offset < 2 * kArenaBytes)
    n = std::snprintf(
        line, sizeof line, "cuemu: SEGV: %s touched freed memory or went past its allocation, at %#llx%s\n",
        running_kernel(), static_cast<unsigned long long>(address - kArenaBytes), running_thread().c_str());
  else if (Fiber::ran_out_of_stack(info->si_addr))
    n = std::snprintf(line, sizeof line, "cuemu: SEGV: %s ran out of stack%s\n", running_kernel(),
                      running_thread().c_str());
  else
    n = std::snprintf(line, sizeof line, "cuemu: SEGV at %p in %s\n", info->si_addr,
                      *running_kernel() ? running_kernel() : "host code");
  if (write(2, line, size_t(n)) < 0) {
  }
  ::signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

char* reserve(uint64_t bytes, int protection) {
  void* p = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    std::perror("cuemu: reserving addresses");
    std::abort();
  }
  return static_cast<char*>(p);
}

void reserve_arena() {
  if (arena_begin) return;
  page_owner = reinterpret_cast<std::atomic<Allocation*>*>(
      reserve(kArenaBytes / kPage * sizeof(std::atomic<Allocation*>), PROT_READ | PROT_WRITE));
  arena_begin = reinterpret_cast<uint64_t>(reserve(2 * kArenaBytes, PROT_NONE));
  struct sigaction action {};
  action.sa_sigaction = explain_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous);
}

}  // namespace

Allocation* allocate(int device, size_t bytes) {
  reserve_arena();
  if (bytes > kArenaBytes) return nullptr;
  const uint64_t taken = std::max<uint64_t>((bytes + 255) & ~uint64_t(255), 256);  // alignment that CUDA promises
  const uint64_t pages = (taken + kPage - 1) / kPage;
  if (next_page + (pages + 1) * kPage > kArenaBytes) return nullptr;
  char* const first = reinterpret_cast<char*>(arena_begin + next_page);
  auto* a = new Allocation;
  a->base = first + pages * kPage - taken;
  a->size = bytes;
  a->device = device;
  mprotect(storage(first), pages * kPage, PROT_READ | PROT_WRITE);
  std::memset(storage(a->base), 0xff, taken);
  for (uint64_t i = 0; i < pages; ++i) page_owner[next_page / kPage + i].store(a, std::memory_order_release);
  allocations.push_back(a);
  next_page += (pages + 1) * kPage;  // and one page that nobody owns
  return a;
}

void release(Allocation* a) {
  a->live = false;
  const uint64_t first = reinterpret_cast<uint64_t>(a->base) / kPage * kPage;
  const uint64_t bytes =
      (reinterpret_cast<uint64_t>(a->base) + std::max<uint64_t>(a->size, 1) - first + kPage - 1) / kPage * kPage;
  madvise(storage(first), bytes, MADV_DONTNEED);
  mprotect(storage(first), bytes, PROT_NONE);
  forget_accesses(first, bytes);
  forget_written(first, bytes);
}

void for_each_allocation(int device, const std::function<void(Allocation&)>& visit) {
  for (Allocation* a : allocations)
    if (a->device == device && a->live) visit(*a);
}

void release_all(int device) {
  for_each_allocation(device, [](Allocation& a) { release(&a); });
}

Allocation* find_allocation(uint64_t address) {
  if (!arena_begin || !is_device_address(address)) return nullptr;
  return page_owner[(address - arena_begin) / kPage].load(std::memory_order_acquire);
}

std::string describe_address(uint64_t address) {
  constexpr uint64_t kNear = 16;  // pages
  const Allocation* a = find_allocation(address);
  for (uint64_t back = 1; !a && back <= kNear && is_device_address(address - back * kPage); ++back)
    a = find_allocation(address - back * kPage);
  if (!a) return "an address that is not near any allocation";
  const auto offset = static_cast<long long>(address - reinterpret_cast<uint64_t>(a->base));
  const std::string of = " of " + std::to_string(a->size) + " bytes";
  return "offset " + std::to_string(offset) + of + (a->live ? "" : ", which have been freed");
}

bool in_allocation(const Allocation& a, uint64_t address, uint64_t bytes) {
  const uint64_t offset = address - reinterpret_cast<uint64_t>(a.base);
  return offset <= a.size && bytes <= a.size - offset;
}

}  // namespace cuemu
