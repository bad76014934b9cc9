#include "runtime/stream_order.h"

#include "runtime/core.h"
#include "runtime/findings.h"
#include "runtime/streams.h"

namespace cuemu {

void note_use(Allocation& a, const Moment& moment, const Clock& clock, const std::string& user) {
  const std::string what = user + " uses " + std::to_string(a.size) + " bytes ";
  if (!clock.has(a.allocated))
    report("order", 0, what + "allocated on another stream, without waiting for it (cudaStreamWaitEvent)");
  if (a.freed.seq && clock.has(a.freed)) report("order", 0, what + "after they were freed, in stream order");
  else if (a.freed.seq && !a.freed_clock.has(moment))
    report("order", 0, what + "that another stream frees, and neither waits for the other");
  for (Moment& m : a.uses)
    if (m.stream == moment.stream) {
      m.seq = std::max(m.seq, moment.seq);
      return;
    }
  a.uses.push_back(moment);
}

void note_free(Allocation& a, const Moment& moment, const Clock& clock) {
  a.freed = moment;
  a.freed_clock = clock;
  if (!clock.has(a.allocated))
    report("order", 0, "memory is freed on another stream than the one that allocates it, without waiting for it");
  for (const Moment& m : a.uses)
    if (!clock.has(m))
      report("order", 0, std::to_string(a.size) + " bytes are freed while another stream may still use them");
}

void check_stream_order(Allocation& a, int line) {
  std::lock_guard lock(runtime_mutex());
  note_use(a, running().moment, running().clock, "a kernel (line " + std::to_string(line) + ")");
}

}  // namespace cuemu
