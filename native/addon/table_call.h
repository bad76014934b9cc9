// What the calls on tables have in common: they run at once or as a task, and on a device they go on when they have
// been started.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "addon/arguments.h"
#include "addon/tables.h"
#include "addon/tasks.h"
#include "core/backend.h"
#include "core/table.h"

namespace sampled_softmax {

// A call is made of its arguments on the thread of its environment, and run there or on the coordinator.
// `later`: run() comes when the caller may have changed or transferred its arrays, so what it reads is copied.

template <class Call>
Napi::Value now(const Napi::CallbackInfo& info) {
  Call call(info, false);
  Status status = call.start({});
  if (status.ok() && call.pending()) status = call.finish();
  throw_if_error(info.Env(), status);
  return call.result(info.Env());
}

template <class Call>
class CallTask final : public Task {
 public:
  explicit CallTask(const Napi::CallbackInfo& info) : call_(info, true) {}
  Status start(Notify notify, bool* started) override {
    const Status status = call_.start(notify);
    *started = status.ok() && call_.pending();
    return status;
  }
  Status finish() override { return call_.finish(); }
  Napi::Value result(Napi::Env env) override { return call_.result(env); }
  void request_abort() override { call_.request_abort(); }

 private:
  Call call_;
};

template <class Call>
Napi::Value later(const Napi::CallbackInfo& info) {
  return enqueue(info.Env(), std::make_unique<CallTask<Call>>(info));
}

class Call {
 public:
  // Of a call that goes on on a device when it has been started.
  bool pending() const { return pending_; }
  Status finish() { return backend_->finish(pending_); }

  Napi::Value result(Napi::Env env) { return env.Undefined(); }
  void request_abort() {}

 protected:
  const Backend* backend_ = nullptr;
  PendingCall* pending_ = nullptr;
};

class TableCall : public Call {
 protected:
  explicit TableCall(const Napi::CallbackInfo& info) : table_(read_table(info.Env(), info[0])) {
    backend_ = table_->backend();
  }
  // Null where the table is in the host's memory.
  DeviceTable* on_device() const { return table_->on_device(); }
  const TableFunctions& device() const { return *backend_->tables; }

  std::shared_ptr<Table> table_;
};

// A table and rows of it.
class RowsCall : public TableCall {
 protected:
  explicit RowsCall(const Napi::CallbackInfo& info)
      : TableCall(info), rows_(read_ids(info.Env(), info[1], "indices")) {}

  RowChoice choice() const { return {rows_.data(), 0, count()}; }
  int64_t count() const { return static_cast<int64_t>(rows_.size()); }
  size_t elements() const { return rows_.size() * static_cast<size_t>(table_->dim()); }

  std::vector<int64_t> rows_;
};

}  // namespace sampled_softmax
