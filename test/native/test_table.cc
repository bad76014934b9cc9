// Tables: what new ones hold, rows in and out, sums added, tokens, and the memory that there is for them.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/elements.h"
#include "core/initializers.h"
#include "core/memory_limit.h"
#include "core/table.h"
#include "core/table_rows.h"
#include "core/table_update.h"
#include "cpu/pool.h"

using namespace sampled_softmax;

static void alone(int64_t count, void (*body)(void*, int64_t, int), void* context) {
  for (int64_t i = count; i-- > 0;) body(context, i, 0);  // backwards: the order may not matter
}

static void pooled(int64_t count, void (*body)(void*, int64_t, int), void* context) {
  parallel_for(count, [&](int64_t index, int worker) { body(context, index, worker); });
}

static const std::atomic<bool> never{false};

static std::shared_ptr<Table> make(int64_t rows, int64_t dim, DType dtype) {
  std::shared_ptr<Table> table;
  const Status status = Table::create(rows, dim, dtype, table);
  CHECK(status.ok(), "%s", status.message);
  return table;
}

static uint64_t hash(const void* data, size_t bytes) {  // FNV-1a
  uint64_t h = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3ull;
  return h;
}

static void test_creation() {
  const auto table = make(1000, 3, DType::float32);
  const float* data = static_cast<const float*>(table->data());
  CHECK(std::all_of(data, data + 3000, [](float f) { return f == 0; }), "not zeros");
  CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0, "not aligned");
  CHECK(table->bytes() == 12000 && table->row_bytes() == 12, "sizes");

  for (const auto& [rows, dim] : {std::pair<int64_t, int64_t>{0, 5}, {5, 0}, {0, 0}}) {
    CHECK(make(rows, dim, DType::float64)->data() != nullptr, "an empty table has no data");
  }

  std::shared_ptr<Table> none;
  const Status large = Table::create(int64_t{1} << 42, 64, DType::float32, none);
  CHECK(large.code == Code::out_of_memory && !none, "a table of 2^50 bytes");
  CHECK(std::strstr(large.message, "needs 1125899906842624 bytes"), "%s", large.message);
  const Status overflow = Table::create(int64_t{1} << 52, int64_t{1} << 52, DType::float32, none);
  CHECK(overflow.code == Code::out_of_memory && std::strstr(overflow.message, "addressed"), "%s", overflow.message);

  // Two thirds of what is left fit once; while they are promised and not touched, they do not fit again.
  const AvailableMemory available = available_memory("/");
  if (available.bytes < INT64_MAX / 2) {
    std::shared_ptr<Table> first, second;
    const int64_t third = available.bytes / 3;
    const auto create = [&](int64_t rows, auto& table) { return Table::create(rows, 1, DType::bfloat16, table); };
    CHECK(create(2 * third, first).code == Code::out_of_memory, "4/3 of the memory");
    if (create(third, first).ok()) {
      static_cast<uint16_t*>(first->data())[third - 1] = 7;
      CHECK(create(third, second).code == Code::out_of_memory, "promised twice");
      first.reset();
      CHECK(create(third, second).ok(), "not given back");
    }
  }
}

static void write_file(const std::string& path, const std::string& text) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    mkdir(path.substr(0, at).c_str(), 0700);
  }
  std::ofstream(path) << text;
}

static void test_memory_limit() {
  char folder[] = "/tmp/test_table_XXXXXX";
  CHECK(mkdtemp(folder) != nullptr, "no folder");
  const std::string base = folder;
  const auto expect = [](const std::string& root, int64_t bytes, const char* from) {
    const AvailableMemory got = available_memory(root);
    CHECK(got.bytes == bytes && std::strstr(got.from, from), "%s: %lld of %s", root.c_str(),
          static_cast<long long>(got.bytes), got.from);
  };
  const std::string meminfo = "MemTotal:       9000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n";

  write_file(base + "/none/proc/meminfo", meminfo);
  expect(base + "/none", 8000 * 1024, "machine");

  const std::string v2 = base + "/v2";
  write_file(v2 + "/proc/meminfo", meminfo);
  write_file(v2 + "/proc/self/cgroup", "0::/app/worker\n");
  write_file(v2 + "/sys/fs/cgroup/app/worker/memory.max", "max\n");
  expect(v2, 8000 * 1024, "machine");
  write_file(v2 + "/sys/fs/cgroup/app/memory.max", "5000000\n");
  write_file(v2 + "/sys/fs/cgroup/app/memory.current", "3000000\n");
  expect(v2, 2000000, "control group");
  write_file(v2 + "/sys/fs/cgroup/app/memory.stat", "anon 5\ninactive_file 600000\n");
  expect(v2, 2600000, "control group");
  write_file(v2 + "/sys/fs/cgroup/app/memory.current", "7000000\n");
  expect(v2, 0, "control group");

  const std::string v1 = base + "/v1";
  write_file(v1 + "/proc/meminfo", meminfo);
  write_file(v1 + "/proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n");
  write_file(v1 + "/sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n");
  write_file(v1 + "/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
  write_file(v1 + "/sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 500000\n");
  expect(v1, 3500000, "control group");
  write_file(v1 + "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  expect(v1, 8000 * 1024, "machine");
  CHECK(std::system(("rm -r " + base).c_str()) == 0, "folder left behind");
}

// Bits that must never change: a model is reproduced from its seed.
static void test_initial_bits() {
  struct Case {
    Initializer initializer;
    DType dtype;
    uint64_t hash;
  };
  const Case cases[] = {
      {{Distribution::uniform, -0.05, 0.05, 42}, DType::float32, 0x2d2b50af9ffbd67e},
      {{Distribution::uniform, -1, 3, 42}, DType::float64, 0x3821a3d9f7d8178d},
      {{Distribution::uniform, -1, 3, 42}, DType::float16, 0xf00416c4fd89570a},
      {{Distribution::normal, 0, 1, 42}, DType::float64, 0x878a0164d24a7bbe},
      {{Distribution::normal, 0.5, 0.05, ~uint64_t{0}}, DType::float32, 0x146b7ed19692bdce},
      {{Distribution::normal, 0, 0.05, 42}, DType::bfloat16, 0xe9bfcd812a1f8cfb},
      {{Distribution::truncated_normal, 0, 0.05, 42}, DType::float32, 0xc4bb17611c2ce05f},
      {{Distribution::glorot_uniform, 0, 0, 42}, DType::float32, 0x6142695ff48258c5},
  };
  for (const Case& c : cases) {
    const auto table = make(5001, 13, c.dtype);
    initialize(*table, c.initializer, alone, never);
    const uint64_t got = hash(table->data(), table->bytes());
    CHECK(got == c.hash, "distribution %d, dtype %d: 0x%016llx", static_cast<int>(c.initializer.distribution),
          static_cast<int>(c.dtype), static_cast<unsigned long long>(got));
    for (int threads : {1, 2, 3, 8}) {
      set_pool_threads(threads);
      const auto again = make(5001, 13, c.dtype);
      initialize(*again, c.initializer, pooled, never);
      CHECK(std::memcmp(again->data(), table->data(), table->bytes()) == 0, "%d threads", threads);
    }
    // Element i depends on (seed, i) alone, except where the shape is part of the distribution.
    if (c.initializer.distribution != Distribution::glorot_uniform) {
      const auto other = make(13, 1001, c.dtype);
      initialize(*other, c.initializer, alone, never);
      CHECK(std::memcmp(other->data(), table->data(), other->bytes()) == 0, "another shape");
    }
  }
}

static void test_distributions() {
  const int64_t n = 1000000;
  const auto moments = [&](Initializer initializer, double& mean, double& deviation, double& least, double& greatest) {
    const auto table = make(n, 1, DType::float64);
    initialize(*table, initializer, pooled, never);
    const double* x = static_cast<const double*>(table->data());
    mean = deviation = 0;
    for (int64_t i = 0; i < n; ++i) mean += x[i];
    mean /= n;
    for (int64_t i = 0; i < n; ++i) deviation += (x[i] - mean) * (x[i] - mean);
    deviation = std::sqrt(deviation / n);
    least = *std::min_element(x, x + n);
    greatest = *std::max_element(x, x + n);
  };
  double mean, deviation, least, greatest;
  moments({Distribution::uniform, 2, 6, 1}, mean, deviation, least, greatest);
  CHECK(std::fabs(mean - 4) < 0.006, "uniform: mean %g", mean);
  CHECK(std::fabs(deviation - 4 / std::sqrt(12)) < 0.003, "uniform: deviation %g", deviation);
  CHECK(least >= 2 && least < 2.0001 && greatest <= 6 && greatest > 5.9999, "uniform in [%g, %g]", least, greatest);
  moments({Distribution::normal, -3, 2, 1}, mean, deviation, least, greatest);
  CHECK(std::fabs(mean + 3) < 0.01 && std::fabs(deviation - 2) < 0.007, "normal: %g %g", mean, deviation);
  CHECK(least < -11 && least > -16 && greatest > 5 && greatest < 10, "normal in [%g, %g]", least, greatest);
  moments({Distribution::truncated_normal, 1, 10, 1}, mean, deviation, least, greatest);
  CHECK(std::fabs(mean - 1) < 0.05 && std::fabs(deviation - 8.7962566) < 0.03, "truncated: %g %g", mean, deviation);
  CHECK(least >= -19 && least < -18.99 && greatest <= 21 && greatest > 20.99, "truncated in [%g, %g]", least, greatest);
  moments({Distribution::glorot_uniform, 0, 0, 1}, mean, deviation, least, greatest);
  CHECK(std::fabs(greatest - std::sqrt(6.0 / (n + 1))) < 1e-7, "Glorot to %g", greatest);
  CHECK(std::fabs(least + greatest) < 1e-7, "Glorot in [%g, %g]", least, greatest);
  moments({Distribution::normal, 5, 0, 1}, mean, deviation, least, greatest);
  CHECK(mean == 5 && least == 5 && greatest == 5, "no deviation");

  // Neighbours, and the halves of a Philox block, do not hang together.
  const auto table = make(n, 1, DType::float64);
  initialize(*table, {Distribution::normal, 0, 1, 9}, pooled, never);
  const double* x = static_cast<const double*>(table->data());
  for (int64_t lag : {1, 2, 3, 64}) {
    double sum = 0;
    for (int64_t i = 0; i + lag < n; ++i) sum += x[i] * x[i + lag];
    CHECK(std::fabs(sum / n) < 0.004, "lag %d: %g", static_cast<int>(lag), sum / n);
  }
}

static void test_normal_quantile() {
  // Phi(quantile(q)) = 1/2 + q. An error of z shows in the tail's probability magnified by z * phi(z) / (1 - Phi(z)).
  double worst_middle = 0, worst_tail = 0;
  for (int i = 1; i <= 4250; ++i) {
    const double q = i / 10000.0, z = normal_quantile(q);
    CHECK(normal_quantile(-q) == -z, "not odd at %g", q);
    const double error = 0.5 * std::erf(z / std::sqrt(2.0)) - q, density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
    worst_middle = std::max(worst_middle, std::fabs(error / density / z));
  }
  for (double tail = 0.0749; tail > 0x1p-53; tail *= 0.97) {
    const double q = 0.5 - tail, z = normal_quantile(q);
    CHECK(normal_quantile(-q) == -z, "not odd at %g", q);
    const double exact = 0.5 - q, density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
    worst_tail = std::max(worst_tail, std::fabs((0.5 * std::erfc(z / std::sqrt(2.0)) - exact) / density / z));
  }
  CHECK(worst_middle < 1e-15, "relative error %g in the middle", worst_middle);
  CHECK(worst_tail < 2e-15, "relative error %g in the tails", worst_tail);
  CHECK(normal_quantile(0) == 0, "the median");
  CHECK(std::fabs(normal_quantile(0.475) - 1.959963984540054) < 1e-15, "%.17g", normal_quantile(0.475));
}

// The nearest 16-bit number by search among all: ties to the even one.
template <class E>
static uint16_t nearest_by_search(double value) {
  double best = std::numeric_limits<double>::infinity();
  uint16_t found = 0;
  const uint32_t infinity = E::store(std::numeric_limits<double>::infinity());
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    const double distance = std::fabs(E::load(static_cast<uint16_t>(bits)) - std::fabs(value));
    if (distance < best || (distance == best && bits % 2 == 0)) {
      best = distance;
      found = static_cast<uint16_t>(bits);
    }
  }
  return static_cast<uint16_t>(found | (std::signbit(value) ? 0x8000 : 0));
}

template <class E>
static void test_rounding(const char* name) {
  uint64_t state = 88172645463325252ull;
  const auto next = [&] { return state ^= state << 13, state ^= state >> 7, state ^= state << 17; };
  for (int i = 0; i < 150; ++i) {
    const auto bits = static_cast<uint16_t>(next() & 0x7bfe);  // finite, and so is its successor
    const double low = E::load(bits), high = E::load(static_cast<uint16_t>(bits + 1)), middle = (low + high) / 2;
    const double below = std::nextafter(middle, 0), above = std::nextafter(middle, 1e300);
    for (double value : {low, high, middle, below, above, -middle, -above, middle * (1 + 1e-9)}) {
      const uint16_t got = E::store(value), want = nearest_by_search<E>(value);
      CHECK(got == want, "%s(%.17g): %04x, expected %04x", name, value, got, want);
    }
  }
  CHECK(E::load(E::store(1e300)) == std::numeric_limits<double>::infinity(), "%s: 1e300", name);
  CHECK(E::load(E::store(-1e300)) == -std::numeric_limits<double>::infinity(), "%s: -1e300", name);
  CHECK(std::isnan(E::load(E::store(std::nan("")))), "%s: NaN", name);
  CHECK(E::store(-0.0) == 0x8000 && E::store(-1e-300) == 0x8000, "%s: -0", name);
}

static void test_rows() {
  const auto table = make(100, 7, DType::float32);
  std::vector<double> values(3 * 7);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.1 * static_cast<double>(i + 1);
  const int64_t rows[] = {99, 0, 42};
  write_rows(*table, rows, 3, values.data(), DType::float64, alone);
  const int64_t wanted[] = {42, 42, 1, 99};
  std::vector<double> got(4 * 7, -1);
  read_rows(*table, wanted, 4, got.data(), DType::float64, pooled);
  for (int d = 0; d < 7; ++d) {
    CHECK(got[d] == static_cast<float>(values[14 + d]) && got[7 + d] == got[d], "row 42, column %d", d);
    CHECK(got[14 + d] == 0 && got[21 + d] == static_cast<float>(values[d]), "rows 1 and 99, column %d", d);
  }
  std::vector<float> piece(2 * 7);
  copy_rows(*table, 98, 2, piece.data(), alone);
  CHECK(piece[6] == 0 && piece[7] == static_cast<float>(0.1), "a copy of the last rows");
  copy_rows(*table, 100, 0, nullptr, alone);
}

template <class T, class V>
static void test_add(DType table_dtype, DType value_dtype, int64_t dim) {
  using TType = typename T::Type;
  using VType = typename V::Type;
  const int64_t rows = 50, count = 300;
  const auto table = make(rows, dim, table_dtype);
  initialize(*table, {Distribution::normal, 0, 1, 3}, alone, never);
  std::vector<TType> want(static_cast<TType*>(table->data()), static_cast<TType*>(table->data()) + rows * dim);
  const std::vector<TType> before = want;
  const auto source = make(count, dim, value_dtype);
  initialize(*source, {Distribution::normal, 0, 1, 4}, alone, never);
  const VType* values = static_cast<const VType*>(source->data());
  std::vector<int64_t> indices(count);
  for (int64_t k = 0; k < count; ++k) indices[k] = k * k * 7 % 47;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t d = 0; d < dim; ++d) {
      double sum = 0;
      bool any = false;
      for (int64_t k = 0; k < count; ++k) {
        if (indices[k] == r) sum += V::load(values[k * dim + d]), any = true;
      }
      if (any) want[r * dim + d] = T::store(T::load(want[r * dim + d]) + -0.3 * sum);
    }
  }
  for (int threads : {1, 2, 8}) {
    set_pool_threads(threads);
    std::memcpy(table->data(), before.data(), table->bytes());
    CHECK(add_rows(*table, indices.data(), count, values, value_dtype, -0.3, pooled).ok(), "add");
    CHECK(std::memcmp(table->data(), want.data(), table->bytes()) == 0, "dtypes %d and %d, dim %d, %d threads",
          static_cast<int>(table_dtype), static_cast<int>(value_dtype), static_cast<int>(dim), threads);
  }
  // Ascending rows take the way without a sort.
  std::vector<int64_t> ascending(rows);
  for (int64_t r = 0; r < rows; ++r) ascending[r] = r;
  std::memcpy(table->data(), before.data(), table->bytes());
  CHECK(add_rows(*table, ascending.data(), rows, values, value_dtype, 2, alone).ok(), "add");
  for (int64_t i = 0; i < rows * dim; ++i) {
    const TType expected = T::store(T::load(before[i]) + 2 * V::load(values[i]));
    CHECK(std::memcmp(&static_cast<TType*>(table->data())[i], &expected, sizeof expected) == 0, "ascending, element %d",
          static_cast<int>(i));
  }
}

static void test_adds() {
  for (int t = 0; t < 4; ++t) {
    for (int v = 0; v < 4; ++v) {
      for (int64_t dim : {1, 7, 300}) {
        with_element(static_cast<DType>(t), [&](auto table_element) {
          with_element(static_cast<DType>(v), [&](auto value_element) {
            using T = decltype(table_element);
            using V = decltype(value_element);
            test_add<T, V>(static_cast<DType>(t), static_cast<DType>(v), dim);
          });
        });
      }
    }
  }
  const auto table = make(3, 2, DType::float32);
  const float infinite[] = {1, INFINITY, NAN, -INFINITY};
  const int64_t rows[] = {2, 2};
  CHECK(add_rows(*table, rows, 2, infinite, DType::float32, 1, alone).ok(), "add");
  const float* data = static_cast<const float*>(table->data());
  CHECK(data[0] == 0 && std::isnan(data[4]) && std::isnan(data[5]), "NaN and infinities flow through");
  CHECK(add_rows(*table, rows, 0, nullptr, DType::float32, 1, alone).ok(), "no rows");
}

static void test_repeats() {
  int64_t earlier, again;
  const auto find = [&](const std::vector<int64_t>& rows) {
    CHECK(find_repeat(rows.data(), static_cast<int64_t>(rows.size()), earlier, again).ok(), "find_repeat");
  };
  find({});
  CHECK(earlier == -1 && again == -1, "none of none");
  find({5, 3, 1ll << 40, 0});
  CHECK(earlier == -1 && again == -1, "none");
  find({9, 1, 7, 1, 9, 1});
  CHECK(earlier == 1 && again == 3, "%d %d", static_cast<int>(earlier), static_cast<int>(again));
  find({1ll << 40, 2, 1ll << 40});
  CHECK(earlier == 0 && again == 2, "%d %d", static_cast<int>(earlier), static_cast<int>(again));
}

static void test_tokens() {
  auto table = make(2, 2, DType::float32), other = make(2, 2, DType::float32);
  const std::string token = table_token(table);
  CHECK(token.size() == 32 && token.find_first_not_of("0123456789abcdef") == std::string::npos, "%s", token.c_str());
  CHECK(table_token(table) == token && table_token(other) != token, "one token for each table");
  CHECK(find_table(token) == table && !find_table("") && !find_table(std::string(32, '0')), "found by its token alone");
  table.reset();
  CHECK(!find_table(token), "gone with its last holder");
  std::vector<std::thread> threads;
  std::atomic<int> found{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 100; ++k) found += find_table(table_token(other)) == other;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(found == 400, "%d of 400 from several threads", found.load());
}

int main() {
  test_creation();
  test_memory_limit();
  test_initial_bits();
  test_distributions();
  test_normal_quantile();
  test_rounding<Element<DType::float16>>("float16");
  test_rounding<Element<DType::bfloat16>>("bfloat16");
  test_rows();
  test_adds();
  test_repeats();
  test_tokens();
  return finish("table");
}
