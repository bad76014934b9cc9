#include "core/table.h"

#include <cstdio>
#include <mutex>
#include <new>
#include <random>
#include <unordered_map>

#include "core/backend.h"

namespace sampled_softmax {

static const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::float16: return "float16";
    case DType::bfloat16: return "bfloat16";
  }
  return "?";
}

// How messages call a table of these sizes.
struct Described {
  char text[96];
  Described(int64_t rows, int64_t dim, DType dtype) {
    std::snprintf(text, sizeof text, "a table of [%lld, %lld] %s", static_cast<long long>(rows),
                  static_cast<long long>(dim), dtype_name(dtype));
  }
};

static Status no_header() { return Status::error(Code::out_of_memory, "a table: no memory left for its header"); }

// Each row may take `more` elements than it has.
static Status check_sizes(int64_t rows, int64_t dim, int64_t more, DType dtype) {
  const Described what(rows, dim, dtype);
  if (rows < 0 || dim < 0) return Status::error(Code::invalid_argument, "%s: negative size", what.text);
  const int64_t size = static_cast<int64_t>(size_of(dtype));
  if (dim + more > 0 && rows > INT64_MAX / size / (dim + more)) {
    return Status::error(Code::out_of_memory, "%s: more bytes than can be addressed", what.text);
  }
  return {};
}

Status Table::create(int64_t rows, int64_t dim, DType dtype, std::shared_ptr<Table>& table) try {
  Status status = check_sizes(rows, dim, 0, dtype);
  if (!status.ok()) return status;
  std::shared_ptr<Table> created(new Table(rows, dim, dtype));
  status = created->memory_.allocate(created->bytes(), Described(rows, dim, dtype).text);
  if (status.ok()) table = std::move(created);
  return status;
} catch (const std::bad_alloc&) {
  return no_header();
}

Status Table::create_on(const Backend& backend, int32_t device, int64_t rows, int64_t dim, DType dtype,
                        const Initializer& initializer, Notify notify, std::shared_ptr<Table>& table,
                        PendingCall** pending) try {
  *pending = nullptr;
  // Rows of a device may be padded to whole 16 bytes.
  if (!backend.tables) return Status::error(Code::device_unavailable, "the backend '%s' keeps no tables", backend.name);
  Status status = check_sizes(rows, dim, 16, dtype);
  if (!status.ok()) return status;
  std::shared_ptr<Table> created(new Table(rows, dim, dtype));
  created->backend_ = &backend;
  created->device_ = device;
  status = backend.tables->create_table({device, rows, dim, dtype}, initializer, notify, &created->on_device_, pending);
  if (status.ok()) {
    table = std::move(created);
  } else if (status.code == Code::out_of_memory) {
    return Status::error(status.code, "%s: %s", Described(rows, dim, dtype).text, status.message);
  }
  return status;
} catch (const std::bad_alloc&) {
  return no_header();
}

Table::~Table() {
  if (on_device_) backend_->tables->destroy_table(on_device_);
}

namespace {

std::mutex tokens_mutex;
std::unordered_map<std::string, std::weak_ptr<Table>>& tokens() {
  static auto* map = new std::unordered_map<std::string, std::weak_ptr<Table>>;
  return *map;
}

std::string random_token() {
  std::random_device random;
  char text[33];
  for (int i = 0; i < 4; ++i) std::snprintf(text + 8 * i, 9, "%08x", static_cast<unsigned>(random()));
  return text;
}

}  // namespace

std::string table_token(const std::shared_ptr<Table>& table) {
  std::lock_guard<std::mutex> lock(tokens_mutex);
  for (auto entry = tokens().begin(); entry != tokens().end();) {
    const std::shared_ptr<Table> held = entry->second.lock();
    if (held == table) return entry->first;
    entry = held ? std::next(entry) : tokens().erase(entry);
  }
  const std::string token = random_token();
  tokens().emplace(token, table);
  return token;
}

std::shared_ptr<Table> find_table(const std::string& token) {
  std::lock_guard<std::mutex> lock(tokens_mutex);
  const auto found = tokens().find(token);
  return found == tokens().end() ? nullptr : found->second.lock();
}

}  // namespace sampled_softmax
