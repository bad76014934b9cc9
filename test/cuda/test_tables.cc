// Tables of a CUDA backend library against tables of the host's, which hold the same bits: what new ones hold, rows of
// every dtype in and out, and sums. Usage: test_tables LIBRARY
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "check.h"
#include "core/elements.h"
#include "core/initializers.h"
#include "core/table.h"
#include "core/table_rows.h"
#include "core/table_update.h"
#include "device_table.h"
#include "library.h"

using namespace sampled_softmax;

namespace {

constexpr int64_t kRows = 40;
const DType kTypes[] = {DType::float32, DType::float64, DType::float16, DType::bfloat16};

void alone(int64_t count, void (*body)(void*, int64_t, int), void* context) {
  for (int64_t i = 0; i < count; ++i) body(context, i, 0);
}

// A device that has failed stays so, and without a table nothing can be asked.
void succeed(const Status& status) {
  CHECK(status.ok(), "%s", status.message);
  if (!status.ok()) std::exit(finish("tables"));
}

// The same table twice.
struct Twins {
  TableOnDevice device;
  std::shared_ptr<Table> host;

  Twins(const Backend& backend, int64_t dim, DType dtype, const Initializer& initializer)
      : device(backend, {0, kRows, dim, dtype}) {
    succeed(device.create(initializer));
    succeed(Table::create(kRows, dim, dtype, host));
    const std::atomic<bool> never{false};
    initialize(*host, initializer, alone, never);
  }

  void compare(const char* after) {
    std::vector<char> got, want(host->bytes());
    succeed(device.read({nullptr, 0, kRows}, host->dtype(), &got));
    copy_rows(*host, 0, kRows, want.data(), alone);
    CHECK(got == want, "dtype %d, %d dims, %s: other bits than on the CPU", int(host->dtype()), int(host->dim()),
          after);
  }
};

std::vector<char> random_values(DType dtype, int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<char> bytes(static_cast<size_t>(count) * size_of(dtype));
  with_element(dtype, [&](auto element) {
    for (size_t at = 0; at < bytes.size(); at += size_of(dtype)) {
      const auto x = decltype(element)::store(static_cast<int32_t>(random()) * 0x1p-30);
      std::memcpy(&bytes[at], &x, sizeof x);
    }
  });
  return bytes;
}

void test_initial_values(const Backend& backend) {
  for (DType dtype : kTypes) {
    for (int64_t dim : {1, 3, 8, 33}) {
      Twins(backend, dim, dtype, {Distribution::uniform, -1, 2, 7}).compare("uniform");
      Twins(backend, dim, dtype, {Distribution::normal, 0, 1, 7}).compare("normal");
    }
  }
}

void test_rows(const Backend& backend, DType dtype, int64_t dim) {
  Twins twins(backend, dim, dtype, {});
  const std::vector<char> start = random_values(dtype, kRows * dim, 1);
  succeed(twins.device.write({nullptr, 0, kRows}, start.data(), dtype));
  write_rows(*twins.host, nullptr, kRows, start.data(), dtype, alone);
  twins.compare("all written");

  const int64_t distinct[] = {39, 0, 20, 7, 8}, repeated[] = {7, 39, 7, 7, 1, 39, 30, 2, 3, 7};
  const RowChoice some{distinct, 0, 5}, again{repeated, 0, 10};
  for (DType other : kTypes) {
    const std::vector<char> values = random_values(other, again.count * dim, 2);
    succeed(twins.device.write(some, values.data(), other));
    write_rows(*twins.host, some.indices, some.count, values.data(), other, alone);
    twins.compare("written");
    for (const RowChoice& rows : {some, again}) {
      succeed(twins.device.add(rows, {values.data(), other, nullptr, 0}, -0.3));
      succeed(add_rows(*twins.host, rows.indices, rows.count, values.data(), other, -0.3, alone));
      twins.compare("added to");
    }
    std::vector<char> got, want(static_cast<size_t>(again.count * dim) * size_of(other));
    succeed(twins.device.read(again, other, &got));
    read_rows(*twins.host, again.indices, again.count, want.data(), other, alone);
    CHECK(got == want, "dtype %d, %d dims, read as %d: other bits than on the CPU", int(dtype), int(dim), int(other));
  }
}

// Calls take effect in the order of their starts, though each is started before any has finished.
void test_order(const Backend& backend) {
  constexpr int kRounds = 4, kDim = 5;
  const TableFunctions& functions = *backend.tables;
  TableOnDevice table(backend, {0, kRows, kDim, DType::float32});
  succeed(table.create({}));
  const RowChoice all{nullptr, 0, kRows};
  using Values = std::vector<float>;
  std::vector<Values> written, got(2 * kRounds, Values(kRows * kDim));
  for (int i = 0; i < kRounds; ++i) written.emplace_back(kRows * kDim, static_cast<float>(i));
  const Values quarters(kRows * kDim, 0.25f);
  PendingCall* calls[4 * kRounds];
  PendingCall** next = calls;
  for (size_t i = 0; i < kRounds; ++i) {
    const auto read = [&](Values& out) {
      succeed(functions.start_read_rows(*table.table, all, out.data(), DType::float32, {}, next++));
    };
    succeed(functions.start_write_rows(*table.table, all, written[i].data(), DType::float32, {}, next++));
    read(got[2 * i]);
    const RowsToAdd sums{quarters.data(), DType::float32, nullptr, 0};
    succeed(functions.start_add_rows(*table.table, all, sums, 2, {}, next++));
    read(got[2 * i + 1]);
  }
  for (PendingCall* call : calls) succeed(backend.finish(call));
  for (size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == Values(kRows * kDim, static_cast<float>(i) / 2), "read %zu: other bits", i);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Backend& backend = open_backend(argc, argv);
  // The elements of a table that begins far into a larger one are drawn for their places there.
  if (!std::getenv("SAMPLED_SOFTMAX_CUDA_FIRST_ROW")) test_initial_values(backend);
  for (DType dtype : kTypes) {
    for (int64_t dim : {1, 3, 8, 33}) test_rows(backend, dtype, dim);
  }
  test_order(backend);
  return finish("tables");
}
