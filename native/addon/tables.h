// Tables as JavaScript sees them: type-tagged handles that share the ownership of a core Table.
#pragma once

#include <napi.h>

#include <memory>

#include "core/table.h"

namespace sampled_softmax {

// The table behind a handle; null where the value is none. Throws ERR_DISPOSED where the handle has been disposed.
std::shared_ptr<Table> unwrap_table(Napi::Env env, napi_value value);
// The same, where anything else than a table is a mistake of the facade.
std::shared_ptr<Table> read_table(Napi::Env env, napi_value value);
// A new handle that owns its share of the table.
Napi::Value make_table_handle(Napi::Env env, std::shared_ptr<Table> table);

// The part of register_tables that is in table_calls.cc.
void register_table_calls(Napi::Env env, Napi::Object exports);

}  // namespace sampled_softmax
