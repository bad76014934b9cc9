#include "runtime/settings.h"

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>

namespace cuemu {
namespace {

const char* text(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

uint64_t number(const char* name, uint64_t otherwise) {
  const char* value = text(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

bool is(const char* name, const char* wanted, bool otherwise) {
  const char* value = text(name);
  return value ? !std::strcmp(value, wanted) : otherwise;
}

Settings read() {
  Settings s;
  if (is("CUEMU_ORDER", "rev", false)) s.order = Settings::Order::Reverse;
  if (is("CUEMU_ORDER", "rand", false)) s.order = Settings::Order::Random;
  s.seed = number("CUEMU_SEED", s.seed);
  s.preempt = unsigned(number("CUEMU_PREEMPT", 0));
  s.early_copies = is("CUEMU_COPY", "early", s.order == Settings::Order::Reverse);
  s.eager_streams = is("CUEMU_STREAMS", "eager", false);
  s.noise = number("CUEMU_NOISE", 0) != 0;

  s.devices = int(number("CUEMU_DEVICES", uint64_t(s.devices)));
  s.driver = int(number("CUEMU_DRIVER", CUDART_VERSION));
  s.compute_capability = int(number("CUEMU_CC", uint64_t(s.compute_capability)));
  s.memory = number("CUEMU_MEMORY", s.memory);
  s.fail_alloc = number("CUEMU_FAIL_ALLOC", 0);

  s.quiet = number("CUEMU_QUIET", 0) != 0;
  if (const char* file = text("CUEMU_FINDINGS")) s.findings = file;
  s.leaks = number("CUEMU_LEAKS", 0) != 0;
  s.stats = number("CUEMU_STATS", 0) != 0;
  if (const char* file = text("CUEMU_STATS_JSON")) s.stats_json = file;
  return s;
}

}  // namespace

const Settings& settings() {
  static const Settings& s = *new Settings(read());  // never destroyed: the device thread may outlive main
  return s;
}

}  // namespace cuemu
