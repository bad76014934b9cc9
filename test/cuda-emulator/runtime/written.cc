#include "runtime/written.h"

#include <sys/mman.h>

#include <cstring>

#include "runtime/address_space.h"
#include "runtime/memory.h"

namespace cuemu {
namespace {

// A bit for each byte. Kernels and copies run on the device thread; the host only forgets what nothing uses any more.
unsigned char* bits() {
  static auto* const map = reinterpret_cast<unsigned char*>(reserve_addresses(kArenaBytes / 8, PROT_READ | PROT_WRITE));
  return map;
}

// The bits of the part of [from, to) that lies in the byte of bits number i.
unsigned char part(uint64_t i, uint64_t from, uint64_t to) {
  const uint64_t first = from > 8 * i ? from - 8 * i : 0, last = to < 8 * i + 8 ? to - 8 * i : 8;
  return static_cast<unsigned char>((0xffu << first) & (0xffu >> (8 - last)));
}

}  // namespace

void mark_written(uint64_t address, uint64_t bytes) {
  const uint64_t from = address - arena_begin, to = from + bytes;
  uint64_t i = from / 8;
  const uint64_t end = (to + 7) / 8;
  if (from % 8 && i < end) {
    bits()[i] |= part(i, from, to);
    ++i;
  }
  if (to / 8 > i) {
    std::memset(bits() + i, 0xff, to / 8 - i);
    i = to / 8;
  }
  if (i < end) bits()[i] |= part(i, from, to);
}

void mark_all_written(int device) {
  for_each_allocation(device, [](Allocation& a) {
    if (!a.all_written) mark_written(reinterpret_cast<uint64_t>(a.base), a.size);
    a.all_written = true;
  });
}

bool is_written(uint64_t address, uint64_t bytes) {
  const uint64_t from = address - arena_begin, to = from + bytes;
  for (uint64_t i = from / 8; i < (to + 7) / 8; ++i) {
    const unsigned char wanted = part(i, from, to);
    if ((bits()[i] & wanted) != wanted) return false;
  }
  return true;
}

void copy_written(uint64_t to, uint64_t from, uint64_t bytes) {
  for (uint64_t i = 0; i < bytes; ++i) {
    const uint64_t source = from - arena_begin + i, target = to - arena_begin + i;
    const bool is = bits()[source / 8] >> (source % 8) & 1;
    const auto bit = static_cast<unsigned char>(1u << (target % 8));
    bits()[target / 8] = static_cast<unsigned char>(is ? bits()[target / 8] | bit : bits()[target / 8] & ~bit);
  }
}

void forget_written(uint64_t first, uint64_t bytes) {
  constexpr uint64_t kPage = 4096;  // of bits, which are those of eight pages of memory
  const uint64_t begin = ((first - arena_begin) / 8 + kPage - 1) / kPage * kPage,
                 end = (first - arena_begin + bytes) / 8 / kPage * kPage;
  if (begin < end) give_memory_back(bits() + begin, end - begin);
}

}  // namespace cuemu
