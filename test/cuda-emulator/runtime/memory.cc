#include "runtime/memory.h"

#include <sys/mman.h>

#include <cstring>
#include <unordered_set>

#include "runtime/address_space.h"
#include "runtime/fault_messages.h"
#include "runtime/races.h"
#include "runtime/written.h"

namespace cuemu {

uint64_t arena_begin = uint64_t(1) << 63;  // where nothing is, until the first allocation

namespace {

constexpr size_t kPage = 4096;
uint64_t next_page = 0;  // offset of the next unused address
auto& live_allocations = *new std::unordered_set<Allocation*>;
std::atomic<Allocation*>* page_owner = nullptr;

void reserve_arena() {
  if (page_owner) return;
  page_owner = reinterpret_cast<std::atomic<Allocation*>*>(
      reserve_addresses(kArenaBytes / kPage * sizeof(std::atomic<Allocation*>), PROT_READ | PROT_WRITE));
  arena_begin = reinterpret_cast<uint64_t>(reserve_addresses(2 * kArenaBytes, PROT_NONE));
  install_fault_messages();
}

}  // namespace

Allocation* allocate(int device, size_t bytes) {
  reserve_arena();
  if (bytes > kArenaBytes) return nullptr;
  const uint64_t taken = std::max<uint64_t>((bytes + 255) & ~uint64_t(255), 256);  // alignment that CUDA promises
  const uint64_t pages = (taken + kPage - 1) / kPage;
  if (next_page + (pages + 1) * kPage > kArenaBytes) return nullptr;
  auto* a = new Allocation;
  a->pages_begin = arena_begin + next_page;
  a->pages_bytes = pages * kPage;
  a->base = reinterpret_cast<char*>(a->pages_begin + a->pages_bytes - taken);
  a->size = bytes;
  a->device = device;
  mprotect(storage(a->pages_begin), a->pages_bytes, PROT_READ | PROT_WRITE);
  std::memset(storage(a->base), 0xff, taken);
  for (uint64_t i = 0; i < pages; ++i) page_owner[next_page / kPage + i].store(a, std::memory_order_release);
  live_allocations.insert(a);
  next_page += a->pages_bytes + kPage;  // and a page that nobody owns
  return a;
}

void release(Allocation* a) {
  a->live = false;
  live_allocations.erase(a);
  give_memory_back(storage(a->pages_begin), a->pages_bytes);
  mprotect(storage(a->pages_begin), a->pages_bytes, PROT_NONE);
  forget_accesses(a->pages_begin, a->pages_bytes);
  forget_written(a->pages_begin, a->pages_bytes);
}

void for_each_allocation(int device, const std::function<void(Allocation&)>& visit) {
  const auto now_live = live_allocations;  // a visitor may release what it sees
  for (Allocation* a : now_live)
    if (a->device == device) visit(*a);
}

void release_all(int device) {
  for_each_allocation(device, [](Allocation& a) { release(&a); });
}

Allocation* find_allocation(uint64_t address) {
  if (!is_device_address(address)) return nullptr;
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
