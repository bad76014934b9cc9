// What the environment asks of the emulator; read once, at the first use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace cuemu {

struct Settings {
  enum class Order { Forward, Reverse, Random };

  // the schedule
  Order order = Order::Forward;  // CUEMU_ORDER=fwd|rev|rand: lanes, warps, blocks and streams
  uint64_t seed = 1;             // CUEMU_SEED=n, for rand
  unsigned preempt = 0;          // CUEMU_PREEMPT=n: in checked code, lanes change about every n memory accesses
  bool early_copies = false;     // CUEMU_COPY=early|late: when cp.async lands; by default early with rev, else late
  bool eager_streams = false;    // CUEMU_STREAMS=eager|lazy: whether work starts before anybody waits for it
  bool noise = false;            // CUEMU_NOISE=1: .approx instructions err by the 2 units they may err by

  // the machine
  int devices = 1;                  // CUEMU_DEVICES=n
  int driver = 0;                   // CUEMU_DRIVER=12080; by default that of the runtime; 0: no driver
  int compute_capability = 80;      // CUEMU_CC=80
  size_t memory = size_t(8) << 30;  // CUEMU_MEMORY=bytes, of each device
  uint64_t fail_alloc = 0;          // CUEMU_FAIL_ALLOC=n: the n-th allocation fails, once

  // what is told
  bool quiet = false;      // CUEMU_QUIET=1: no findings on stderr
  std::string findings;    // CUEMU_FINDINGS=file: findings are appended to it, a line each
  bool leaks = false;      // CUEMU_LEAKS=1: what is still allocated at exit is a finding
  bool stats = false;      // CUEMU_STATS=1: counted work per kernel on stdout, at exit
  std::string stats_json;  // CUEMU_STATS_JSON=file: the same for tools
};

const Settings& settings();

}  // namespace cuemu
