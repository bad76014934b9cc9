// Calls for which memory runs out: of each kind of call each allocation fails in turn - alone, with a second attempt at
// it, and with all that follow. Nothing is kept then, the error says of what there was not enough, and the same call,
// made again, is right. Usage: test_no_memory EMULATED-LIBRARY
#include <cstdlib>
#include <functional>

#include "device_table.h"
#include "run_case.h"
#include "scenarios.h"

using namespace sampled_softmax;

namespace {

const Shape kShape{20, 12, 40, 2, 70};

struct Call {
  const char* name;
  std::function<void()> prepare;  // what allocations do not fail for
  std::function<Status()> run;
  std::function<void()> check;  // what a run has made
};

struct Held {
  uint64_t device_bytes, pinned_bytes, handles;
};
Held held(const Emulated& e) {
  const Status status = e.backend->release_memory();
  CHECK(status.ok(), "%s", status.message);
  return {e.device_bytes(), e.pinned_bytes(), e.handles()};
}

void succeed(const Status& status, const char* what) { CHECK(status.ok(), "%s: %s", what, status.message); }

void fail_in_turn(const Emulated& e, const Call& call, uint64_t count) {
  bool failed = true;
  for (uint64_t n = 1; failed; ++n) {
    call.prepare();
    const Held before = held(e);
    e.fail_allocations(n, count);
    const Status status = call.run();
    failed = e.fail_allocations(0, 0) > 0;
    CHECK(failed || n > 1, "%s allocates nothing", call.name);
    CHECK(failed || status.ok(), "%s: %s", call.name, status.message);
    if (!status.ok()) {
      CHECK(status.code == Code::out_of_memory, "%s %llu: code %d", call.name, static_cast<unsigned long long>(n),
            int(status.code));
      CHECK(!std::strncmp(status.message, "CUDA: ", 6) && std::strstr(status.message, ": out of memory ("), "%s: %s",
            call.name, status.message);
      const Held after = held(e);
      CHECK(after.device_bytes == before.device_bytes, "%s %llu: %lld bytes of device memory", call.name,
            static_cast<unsigned long long>(n), static_cast<long long>(after.device_bytes - before.device_bytes));
      CHECK(after.pinned_bytes == before.pinned_bytes, "%s %llu: pinned memory", call.name,
            static_cast<unsigned long long>(n));
      CHECK(after.handles == before.handles, "%s %llu: %lld streams and events", call.name,
            static_cast<unsigned long long>(n), static_cast<long long>(after.handles - before.handles));
    }
    call.prepare();
    succeed(call.run(), call.name);
    call.check();
  }
}

void fail_in_turn(const Emulated& e, const Call& call) {
  for (uint64_t count : {uint64_t{1}, uint64_t{2}, UINT64_MAX / 2}) fail_in_turn(e, call, count);
}

// ---- losses

Case make_case(GradientMode mode, bool full) {
  Options o;
  o.mode = mode;
  o.full = full;
  Case c(kShape, o, 1);
  c.p.reduced_precision = false;
  return c;
}

void compare(const Case& c, const Reference& want) {
  CHECK(worst(c.losses.data(), false, want.losses) < 4e-6, "losses");
  CHECK(worst(c.input_gradients.data(), false, want.inputs) < 4e-6, "input gradients");
  CHECK(worst(c.weight_gradients.data(), false, want.weights) < 4e-6, "weight gradients");
  CHECK(worst(c.bias_gradients.data(), false, want.biases) < 4e-6, "bias gradients");
}

void test_losses(const Emulated& e) {
  for (bool full : {false, true}) {
    Case c = make_case(GradientMode::merged, full);
    const Reference want = reference(c.p, full);
    fail_in_turn(e, {full ? "full loss" : "sampled loss", [&] { c.losses.assign(c.losses.size(), NAN); },
                     [&] { return run(*e.backend, c, full); }, [&] { compare(c, want); }});
  }
}

// ---- tables

constexpr int64_t kRows = 30, kDim = 5;
const TableShape kTable{0, kRows, kDim, DType::float32};
const int64_t kIndices[] = {7, 29, 0, 3, 12, 13, 14, 21, 22, 5}, kRepeated[] = {7, 29, 7, 3, 3, 13, 7, 21, 29, 5};
constexpr int64_t kCount = 10;
const RowChoice kAll{nullptr, 0, kRows}, kSome{kIndices, 0, kCount}, kRepeats{kRepeated, 0, kCount};

template <class T>
std::vector<T> numbers(int64_t count, int start) {
  std::vector<T> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(start + static_cast<int>(i));
  return values;
}

std::vector<float> content(TableOnDevice& table) {
  std::vector<char> bytes;
  succeed(table.read(kAll, DType::float32, &bytes), "read all");
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

void test_new_tables(const Emulated& e) {
  for (Distribution distribution : {Distribution::zeros, Distribution::uniform}) {
    TableOnDevice table(*e.backend, kTable);
    const auto create = [&] { return table.create({distribution, -2, 2, 1}); };
    fail_in_turn(e, {"create", [&] { table.destroy(); }, create,
                     [&] {
                       const std::vector<float> values = content(table);
                       const bool zeros = values == std::vector<float>(values.size());
                       CHECK(zeros == (distribution == Distribution::zeros), "content");
                     }});
    // It ends well, whatever there is no memory for.
    fail_in_turn(e, {"destroy",
                     [&] {
                       if (!table.table) create();
                     },
                     [&] {
                       table.destroy();
                       return Status();
                     },
                     [] {}});
  }
}

void test_rows(const Emulated& e) {
  TableOnDevice table(*e.backend, kTable);
  succeed(table.create({}), "create");
  const std::vector<float> start = numbers<float>(kRows * kDim, 1);
  const std::vector<double> more = numbers<double>(kCount * kDim, 1000);
  const auto prepare = [&] { succeed(table.write(kAll, start.data(), DType::float32), "write all"); };
  // What there is of rows `indices` = how(element, value), one after another.
  const auto check = [&](const int64_t* indices, const std::function<double(double, double)>& how) {
    std::vector<float> want = start;
    for (int64_t i = 0; i < kCount * kDim; ++i) {
      float& element = want[static_cast<size_t>(indices[i / kDim] * kDim + i % kDim)];
      element = static_cast<float>(how(static_cast<double>(element), more[static_cast<size_t>(i)]));
    }
    CHECK(content(table) == want, "content");
  };
  const auto second = [](double, double value) { return value; };
  const auto sum = [](double element, double value) { return element + 2 * value; };

  prepare();
  std::vector<char> out;
  fail_in_turn(e, {"read rows side by side", [] {}, [&] { return table.read(kAll, DType::float32, &out); },
                   [&] { CHECK(!std::memcmp(out.data(), start.data(), out.size()), "rows"); }});
  fail_in_turn(e, {"read rows", [] {}, [&] { return table.read(kSome, DType::float64, &out); },
                   [&] {
                     for (int64_t i = 0; i < kCount * kDim; ++i) {
                       const double want = static_cast<double>(kIndices[i / kDim] * kDim + i % kDim + 1);
                       CHECK(read_element(out.data(), DType::float64, i) == want, "element %d", int(i));
                     }
                   }});
  const std::vector<float> all = numbers<float>(kRows * kDim, 500);
  fail_in_turn(e, {"write rows side by side", prepare, [&] { return table.write(kAll, all.data(), DType::float32); },
                   [&] { CHECK(content(table) == all, "content"); }});
  fail_in_turn(e, {"write rows", prepare, [&] { return table.write(kSome, more.data(), DType::float64); },
                   [&] { check(kIndices, second); }});
  const RowsToAdd values{more.data(), DType::float64, nullptr, 0};
  fail_in_turn(e, {"add rows", prepare, [&] { return table.add(kSome, values, 2); }, [&] { check(kIndices, sum); }});
  fail_in_turn(e, {"add rows again and again", prepare, [&] { return table.add(kRepeats, values, 2); },
                   [&] { check(kRepeated, sum); }});
}

// A loss over a table whose gradients stay on the device, and what is done with those.
void test_kept_gradients(const Emulated& e) {
  const TableFunctions& functions = *e.backend->tables;
  Case c = make_case(GradientMode::merged, false);
  const Reference want = reference(c.p, false);
  const int64_t rows = c.p.weight_gradients.num_rows;
  TableOnDevice weights(*e.backend, {0, kShape.classes, kShape.dim, DType::float32});
  succeed(weights.create({}), "create");
  const RowChoice all{nullptr, 0, kShape.classes}, changed{nullptr, 3, rows};
  const auto prepare = [&] { succeed(weights.write(all, c.shard_data[0].data(), DType::float32), "write all"); };
  prepare();
  c.weights[0].data = nullptr, c.weights[0].table = weights.table;
  DeviceRows *kept = nullptr, *kept_biases = nullptr;
  c.p.weight_gradients.values = c.p.bias_gradients.values = nullptr;
  c.p.weight_gradients.kept = &kept, c.p.bias_gradients.kept = &kept_biases;
  const auto destroy = [&] {
    if (kept) functions.destroy_gradients(kept);
    if (kept_biases) functions.destroy_gradients(kept_biases);
    kept = kept_biases = nullptr;
  };
  const auto read = [&](DeviceRows* from, std::vector<double>* out) {
    return run_call(*e.backend, [&](PendingCall** pending) {
      return functions.start_read_gradients(*from, 0, rows, out->data(), {}, pending);
    });
  };
  for (int64_t batch : {kShape.batch, int64_t{0}}) {
    c.p.batch = batch;
    const auto lose = [&] {
      const Status status = run(*e.backend, c, false);
      CHECK(status.ok() == (kept && kept_biases), "%s", status.message);
      return status;
    };
    fail_in_turn(e, {batch ? "loss over a table" : "loss of no rows", destroy, lose, [&] {
                       succeed(read(kept, &c.weight_gradients), "read gradients");
                       succeed(read(kept_biases, &c.bias_gradients), "read gradients");
                       if (batch) compare(c, want);
                       else CHECK(read_element(c.weight_gradients.data(), DType::float32, 0) == 0, "not zeros");
                     }});
    fail_in_turn(e, {"destroy gradients",
                     [&] {
                       if (!kept) lose();
                     },
                     [&] {
                       destroy();
                       return Status();
                     },
                     [] {}});
  }
  c.p.batch = kShape.batch;
  succeed(run(*e.backend, c, false), "loss");
  fail_in_turn(e, {"read gradients", [] {}, [&] { return read(kept, &c.weight_gradients); },
                   [&] { CHECK(worst(c.weight_gradients.data(), false, want.weights) < 4e-6, "weight gradients"); }});
  fail_in_turn(e, {"add gradients", prepare,
                   [&] {
                     return weights.add(changed, {nullptr, DType::float32, kept, 0}, 3);
                   },
                   [&] {
                     std::vector<char> got;
                     succeed(weights.read(changed, DType::float32, &got), "read");
                     for (int64_t i = 0; i < rows * kShape.dim; ++i) {
                       const double before = read_element(c.shard_data[0].data(), DType::float32, 3 * kShape.dim + i);
                       const double gradient = read_element(c.weight_gradients.data(), DType::float32, i);
                       const float sum = static_cast<float>(before + 3 * gradient);
                       CHECK(read_element(got.data(), DType::float32, i) == static_cast<double>(sum), "element %d",
                             int(i));
                     }
                   }});
  destroy();
}

}  // namespace

int main(int argc, char** argv) {
  setenv("SAMPLED_SOFTMAX_CUDA_STAGED_BYTES", "200", 1);  // rows go by way of more than two blocks
  open_backend(argc, argv);
  const Emulated e = open_emulated(argv[1]);
  test_losses(e);
  test_new_tables(e);
  test_rows(e);
  test_kept_gradients(e);
  const Held left = held(e);
  CHECK(left.device_bytes == 0 && left.pinned_bytes == 0 && left.handles == 0, "something is left");
  return finish("no memory");
}
