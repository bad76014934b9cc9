#include "cuda/table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

#include "cuda/device_call.h"
#include "cuda/errors.h"

namespace sampled_softmax {
namespace cuda {

Status Event::create(std::shared_ptr<Event>* event) {
  auto made = std::make_shared<Event>();
  Status status = check(cudaEventCreateWithFlags(&made->event_, cudaEventBlockingSync | cudaEventDisableTiming),
                        "cudaEventCreateWithFlags");
  if (status.ok()) *event = std::move(made);
  return status;
}

Event::~Event() {
  if (event_) cudaEventDestroy(event_);
}

DeviceMemory::~DeviceMemory() {
  if (!data_) return;
  Current current(*device_);
  Lane lane;
  if (device_->take_lane(&lane).ok()) {
    device_->free(lane, data_);
    device_->give_back(lane);
  } else if (cudaFree(data_) != cudaSuccess) {  // waits for the device
    cudaGetLastError();
  }
}

Status DeviceMemory::allocate(Device& device, const Lane& lane, size_t bytes) {
  const Status status = device.allocate(lane, std::max<size_t>(bytes, 1), &data_);
  if (status.ok()) device_ = &device;
  else data_ = nullptr;
  return status;
}

Status make_rows(Device& device, const Lane& lane, const RowGradients& gradients, int64_t width, DType dtype,
                 std::unique_ptr<DeviceRows>* rows) {
  if (!gradients.kept) return {};
  *rows = std::make_unique<DeviceRows>();
  (*rows)->device = &device;
  (*rows)->width = width;
  (*rows)->dtype = dtype;
  return (*rows)->memory.allocate(device, lane, static_cast<size_t>(gradients.num_rows * (*rows)->row_bytes()));
}

void TableUses::add(DeviceTable& table, bool writes) {
  for (Use& use : uses_) {
    if (use.table != &table) continue;
    use.writes = use.writes || writes;
    return;
  }
  uses_.push_back({&table, writes});
}

Status TableUses::wait(cudaStream_t stream) const {
  for (const Use& use : uses_) {
    std::lock_guard<std::mutex> lock(use.table->mutex);
    cudaError_t error = cudaSuccess;
    if (use.table->written) error = cudaStreamWaitEvent(stream, use.table->written->get(), 0);
    for (size_t i = 0; use.writes && error == cudaSuccess && i < use.table->reads.size(); ++i) {
      error = cudaStreamWaitEvent(stream, use.table->reads[i]->get(), 0);
    }
    if (Status status = check(error, "cudaStreamWaitEvent"); !status.ok()) return status;
  }
  return {};
}

Status TableUses::done(cudaStream_t stream) const {
  if (uses_.empty()) return {};
  std::shared_ptr<Event> event;
  if (Status status = Event::create(&event); !status.ok()) return status;
  if (Status status = check(cudaEventRecord(event->get(), stream), "cudaEventRecord"); !status.ok()) return status;
  for (const Use& use : uses_) {
    std::lock_guard<std::mutex> lock(use.table->mutex);
    auto& reads = use.table->reads;
    if (use.writes) {
      use.table->written = event;
      reads.clear();
      continue;
    }
    // Those that have ended are no longer worth waiting for; a table that is only read would gather them.
    const auto ended = [](const std::shared_ptr<Event>& read) { return cudaEventQuery(read->get()) == cudaSuccess; };
    reads.erase(std::remove_if(reads.begin(), reads.end(), ended), reads.end());
    cudaGetLastError();  // "not ready" is not for the next launch to find
    reads.push_back(event);
  }
  return {};
}

namespace {

// SAMPLED_SOFTMAX_CUDA_FIRST_ROW, for tests: DeviceTable::first.
int64_t first_row_of_tables() {
  static const int64_t row = [] {
    const char* text = std::getenv("SAMPLED_SOFTMAX_CUDA_FIRST_ROW");
    return text ? static_cast<int64_t>(std::max(0LL, std::atoll(text))) : int64_t{0};
  }();
  return row;
}

class CreateCall final : public DeviceCall {
 public:
  CreateCall(Device& device, DeviceTable& table, const Initializer& initializer)
      : DeviceCall(device), table_(table), initializer_(initializer) {
    std::snprintf(what_, sizeof what_, "a new table of [%lld, %lld]", static_cast<long long>(table.rows),
                  static_cast<long long>(table.dim));
  }

 private:
  Status enqueue() override {
    const size_t bytes = static_cast<size_t>(table_.rows * table_.row_bytes());
    if (Status status = table_.memory.allocate(device_, lane_, bytes); !status.ok()) return status;
    // By way of integers: the matrix may begin far outside of the memory.
    const auto origin =
        reinterpret_cast<uintptr_t>(table_.memory.data()) - static_cast<uintptr_t>(table_.first * table_.row_bytes());
    table_.origin = reinterpret_cast<char*>(origin);
    uses_.write(table_);
    Status status;
    if (bytes && initializer_.distribution == Distribution::zeros) {
      status = check(cudaMemsetAsync(table_.memory.data(), 0, bytes, stream()), "cudaMemsetAsync of %zu bytes", bytes);
    } else if (bytes) {
      status = check(initialize_rows(queue(), table_.rows_at(nullptr), table_.first, table_.rows, table_.rows,
                                     table_.dim, initializer_),
                     "launch of kernel initialize_rows");
    }
    return status.ok() ? uses_.done(stream()) : status;
  }
  Status complete() override { return {}; }
  const char* what() const override { return what_; }

  DeviceTable& table_;
  const Initializer initializer_;
  char what_[80];
};

}  // namespace

Status create_table(const TableShape& shape, const Initializer& initializer, Notify notify, DeviceTable** table,
                    PendingCall** pending) {
  *table = nullptr;
  *pending = nullptr;
  Device* device;
  if (Status status = Device::get(shape.device, &device); !status.ok()) return status;
  std::unique_ptr<DeviceTable> made(new (std::nothrow) DeviceTable);
  if (!made) return Status::error(Code::out_of_memory, "no memory left for its header");
  made->device = device;
  made->rows = shape.rows;
  made->dim = shape.dim;
  made->dtype = shape.dtype;
  made->pitch = padded_row(shape.dim, shape.dtype);
  made->first = first_row_of_tables();
  const Status status = start_call<CreateCall>(*device, notify, pending, *made, initializer);
  if (status.ok()) *table = made.release();
  return status;
}

}  // namespace cuda
}  // namespace sampled_softmax
