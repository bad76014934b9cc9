// The functions that a device's library supplies. The addon calls nothing else of a device.
//
// Functions may be called from any thread, and from several at once. They do not throw, print or exit. Results are
// the same bits on every run, for any number of threads; on an error the outputs are undefined.
#pragma once

#include <cstdint>

#include "core/initial_values.h"
#include "core/problem.h"
#include "core/status.h"

namespace sampled_softmax {

constexpr int32_t kBackendVersion = 3;

// A call under way on a device: the backend's own.
struct PendingCall;

// Called once, from a thread of the device's, when finish() would no longer wait, whether the call went well or not;
// perhaps before the start has returned. It returns soon and calls no function of the backend, and finish() is not
// called before it has. Where `call` is null nobody wants to know: finish() follows at once.
struct Notify {
  void (*call)(void* context) = nullptr;
  void* context = nullptr;
};

struct DeviceInfo {
  char name[128] = {0};
  int64_t memory_bytes = 0;
  int32_t compute_major = 0, compute_minor = 0;
};

struct TableShape {
  int32_t device = 0;
  int64_t rows = 0, dim = 0;
  DType dtype = DType::float32;
};

// Rows of a table, each in [0, rows).
struct RowChoice {
  const int64_t* indices = nullptr;  // null: start, start + 1, ...
  int64_t start = 0, count = 0;
};

// What is added to `count` rows: [count, dim] values of the host, or rows that a loss left on the table's device, from
// `first` on.
struct RowsToAdd {
  const void* values = nullptr;
  DType dtype = DType::float32;
  const DeviceRows* on_device = nullptr;
  int64_t first = 0;
};

// What a device with memory of its own does with tables that are kept there. Starts, pending calls and notifications
// are as Backend says.
struct TableFunctions {
  // The starts of calls that use one table, losses among them, are made one after another where one of the two writes;
  // in that order the calls take effect: reads side by side, writes alone.

  // A table filled as core/initializers.h says, with *table to be destroyed in any case but that of a start that is not
  // ok, which leaves it null. Code::out_of_memory, naming the bytes, where there is no room for it.
  Status (*create_table)(const TableShape& shape, const Initializer& initializer, Notify notify, DeviceTable** table,
                         PendingCall** pending);
  // Once all calls that use it have finished. Does not wait.
  void (*destroy_table)(DeviceTable* table);
  // As core/table_rows.h and core/table_update.h say, to the bit: out[k] = table[k-th row], the reverse, and
  // table[k-th row] += scale * values[k]. No row is written twice; rows are added to any number of times where the
  // values are the host's, and once where they are the device's.
  Status (*start_read_rows)(DeviceTable& table, const RowChoice& rows, void* out, DType dtype, Notify notify,
                            PendingCall** pending);
  Status (*start_write_rows)(DeviceTable& table, const RowChoice& rows, const void* values, DType dtype, Notify notify,
                             PendingCall** pending);
  Status (*start_add_rows)(DeviceTable& table, const RowChoice& rows, const RowsToAdd& values, double scale,
                           Notify notify, PendingCall** pending);

  // Rows that a loss left on the device (RowGradients::kept), [count, width] in its arithmetic's dtype from row `first`
  // on. Destroyed once all calls that use them have finished; does not wait.
  Status (*start_read_gradients)(DeviceRows& rows, int64_t first, int64_t count, void* out, Notify notify,
                                 PendingCall** pending);
  void (*destroy_gradients)(DeviceRows* rows);
};

struct Backend {
  int32_t version;   // kBackendVersion of the headers that it was built with; its place never changes
  const char* name;  // "cpu", "cuda"

  // Looks for devices, the first time that it is called. Code::device_unavailable, with the reason, where there are
  // none.
  Status (*count_devices)(int32_t* count);
  Status (*device_info)(int32_t device, DeviceInfo* info);

  // Starts a loss on problem.device; rows of tables may be written to once the start has returned.
  Status (*start_sampled_loss)(const SampledProblem& problem, Notify notify, PendingCall** pending);
  Status (*start_softmax_loss)(const SoftmaxProblem& problem, Notify notify, PendingCall** pending);
  // Of whatever starts a call: all that the arguments point to stays valid until the call has finished. Where *pending
  // is null, the call has ended: it was refused, or its outputs are written; nobody is notified. A start that is not ok
  // leaves it null. Otherwise finish() must be called, once: it waits for the device, writes the outputs and releases
  // what the call held.
  Status (*finish)(PendingCall* pending);

  // Gives memory that is kept for later calls back to the system.
  Status (*release_memory)();

  const TableFunctions* tables;  // null where tables of the host serve
};

const Backend& cpu_backend();

// What the library of another device exports, under this name: extern "C" const Backend* sampled_softmax_backend().
constexpr char kBackendSymbol[] = "sampled_softmax_backend";
using BackendFunction = const Backend* (*)();

}  // namespace sampled_softmax
