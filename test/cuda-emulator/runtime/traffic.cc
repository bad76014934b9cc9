#include "runtime/traffic.h"

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>

#include "runtime/findings.h"
#include "runtime/kernel.h"
#include "runtime/lane.h"
#include "runtime/memory.h"
#include "runtime/settings.h"

namespace cuemu {

void Traffic::add(const Traffic& other) {
  requests += other.requests;
  lanes += other.lanes;
  units += other.units;
  ideal += other.ideal;
  shared = other.shared;
  access = other.access;
}

void KernelCounts::add(const KernelCounts& other) {
  launches += other.launches;
  threads += other.threads;
  collectives += other.collectives;
  barriers += other.barriers;
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  for (const auto& [number, traffic] : other.sites) sites[number].add(traffic);
}

namespace {

struct Request {
  uint64_t address[kWarp];
  uint8_t size[kWarp];  // of one instruction too, where cp.async fills a part of what it copies
  uint32_t lanes;

  template <class Visit>
  void each(Visit visit) const {
    for (unsigned i = 0; i < kWarp; ++i)
      if (lanes >> i & 1) visit(i);
  }
};

struct SiteLog {  // the requests of the warp that now runs
  std::vector<Request> requests;
  uint32_t next[kWarp] = {};  // the request that a lane's next access belongs to
  Access access = Access::Read;
  bool shared = false, open = false;
};

constexpr uint32_t kMostRequests =
    65536;  // of one site in one run of a warp; a loop longer than that is counted in part

std::mutex& mutex = *new std::mutex;
auto& all = *new std::map<std::string, KernelCounts>;
auto& current = *new KernelCounts;  // of the running launch
auto& logs = *new std::vector<SiteLog>;
auto& open_logs = *new std::vector<uint32_t>;
auto& seen_sectors = *new std::array<std::vector<uint64_t>, 2>;  // by this launch: bitmaps of what was read and written

struct Sector {
  uint64_t number;
  uint32_t bytes;  // a bit for each
};

void add_bytes(std::vector<Sector>& sectors, uint64_t address, unsigned size) {
  for (unsigned done = 0; done < size;) {
    const uint64_t number = (address + done) / 32;
    const unsigned offset = (address + done) % 32, length = std::min(size - done, 32 - offset);
    const uint32_t bytes = (length == 32 ? ~0u : (1u << length) - 1) << offset;
    const auto it = std::find_if(sectors.rbegin(), sectors.rend(), [&](const Sector& s) { return s.number == number; });
    if (it == sectors.rend()) sectors.push_back({number, bytes});
    else it->bytes |= bytes;
    done += length;
  }
}

void mark_seen(std::vector<uint64_t>& bitmap, uint64_t sector) {
  const uint64_t i = sector - arena_begin / 32;
  if (i / 64 >= bitmap.size()) bitmap.resize(i / 64 + 4096);
  bitmap[i / 64] |= uint64_t(1) << (i % 64);
}

void count_sectors(const Request& r, const SiteLog& log, Traffic& t) {
  std::vector<Sector> sectors;
  r.each([&](unsigned i) { add_bytes(sectors, r.address[i], r.size[i]); });
  unsigned bytes = 0;
  for (const Sector& s : sectors) {
    bytes += unsigned(std::popcount(s.bytes));
    if (log.access != Access::Write) mark_seen(seen_sectors[0], s.number);
    if (log.access != Access::Read) mark_seen(seen_sectors[1], s.number);
  }
  t.units += sectors.size();
  t.ideal += (bytes + 31) / 32;
}

// 32 banks of 4 bytes; accesses of 8 and 16 bytes go by half and quarter warps, as do the rows of ldmatrix. Lanes that
// ask for the same word share it, except that a GPU serializes atomics on one word, which is not counted here. A
// wavefront gives the lanes 128 bytes at most, whether they are the same or not: that is the ideal.
void count_wavefronts(const Request& r, Traffic& t) {
  unsigned widest = 4, bytes = 0;
  r.each([&](unsigned i) {
    widest = std::max<unsigned>(widest, r.size[i]);
    bytes += r.size[i];
  });
  const unsigned lanes_each = kWarp * 4 / widest;
  std::array<std::vector<uint64_t>, 8> words;  // of each part of the warp
  r.each([&](unsigned i) {
    for (uint64_t w = r.address[i] / 4; w <= (r.address[i] + r.size[i] - 1) / 4; ++w)
      words[i / lanes_each].push_back(w);
  });
  for (auto& part : words) {
    std::sort(part.begin(), part.end());
    part.erase(std::unique(part.begin(), part.end()), part.end());
    std::array<unsigned, 32> of_bank{};
    for (const uint64_t w : part) ++of_bank[w % 32];
    t.units += *std::max_element(of_bank.begin(), of_bank.end());
  }
  t.ideal += (bytes + 127) / 128;
}

uint64_t bytes_of(const std::vector<uint64_t>& bitmap) {
  uint64_t sectors = 0;
  for (const uint64_t w : bitmap) sectors += uint64_t(std::popcount(w));
  return 32 * sectors;
}

}  // namespace

bool counting() {
  static const bool asked = (settings().stats || !settings().stats_json.empty()) && !settings().preempt;
  return asked;
}

void start_counting(uint64_t threads) {
  current = {};
  current.launches = 1;
  current.threads = threads;
  for (auto& bitmap : seen_sectors) std::fill(bitmap.begin(), bitmap.end(), 0);
}

void count_access(uint32_t number, uint64_t address, unsigned size, Access access, bool shared) {
  const int merge = site(number).merge;
  if (!merge) return;
  if (number >= logs.size()) logs.resize(number + 64);
  SiteLog& log = logs[number];
  if (!log.open) {
    log.open = true;
    open_logs.push_back(number);
    log.access = access;
    log.shared = shared;
  }
  if (log.shared != shared) return;  // generic code that serves both spaces: only the first is counted
  const uint32_t k = log.next[self->lane]++;
  if (k >= kMostRequests) return;
  if (k >= log.requests.size()) log.requests.push_back({});
  Request& request = log.requests[k];
  request.address[self->lane] = address;
  request.size[self->lane] = uint8_t(size * unsigned(merge));
  request.lanes |= 1u << self->lane;
}

void count_collective() { ++current.collectives; }
void count_barrier() { ++current.barriers; }

void finish_requests() {
  for (const uint32_t number : open_logs) {
    SiteLog& log = logs[number];
    Traffic t;
    t.shared = log.shared;
    t.access = log.access;
    for (const Request& r : log.requests) {
      ++t.requests;
      t.lanes += uint64_t(std::popcount(r.lanes));
      log.shared ? count_wavefronts(r, t) : count_sectors(r, log, t);
    }
    current.sites[number].add(t);
    log.requests.clear();
    std::fill(std::begin(log.next), std::end(log.next), 0);
    log.open = false;
  }
  open_logs.clear();
}

void stop_counting(const std::string& kernel) {
  current.bytes_read = bytes_of(seen_sectors[0]);
  current.bytes_written = bytes_of(seen_sectors[1]);
  std::lock_guard lock(mutex);
  all[kernel].add(current);
}

std::map<std::string, KernelCounts> counts() {
  std::lock_guard lock(mutex);
  return all;
}

}  // namespace cuemu
