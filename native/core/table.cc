#include "core/table.h"

#include <cstdio>
#include <mutex>
#include <new>
#include <random>
#include <unordered_map>

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

Status Table::create(int64_t rows, int64_t dim, DType dtype, std::shared_ptr<Table>& table) try {
  char what[96];
  std::snprintf(what, sizeof what, "a table of [%lld, %lld] %s", static_cast<long long>(rows),
                static_cast<long long>(dim), dtype_name(dtype));
  const auto size = static_cast<int64_t>(size_of(dtype));
  if (rows < 0 || dim < 0) return Status::error(Code::invalid_argument, "%s: negative size", what);
  if (dim > 0 && rows > INT64_MAX / size / dim) {
    return Status::error(Code::out_of_memory, "%s: more bytes than can be addressed", what);
  }
  std::shared_ptr<Table> created(new Table(rows, dim, dtype));
  const Status status = created->memory_.allocate(static_cast<size_t>(rows * dim * size), what);
  if (status.ok()) table = std::move(created);
  return status;
} catch (const std::bad_alloc&) {
  return Status::error(Code::out_of_memory, "a table: no memory left for its header");
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
