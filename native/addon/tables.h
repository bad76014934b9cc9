// Tables as JavaScript sees them: type-tagged handles that share the ownership of a core Table.
#pragma once

#include <napi.h>

#include <memory>

#include "core/table.h"

namespace sampled_softmax {

// The table behind a handle; null where the value is none. Throws ERR_DISPOSED where the handle has been disposed.
std::shared_ptr<Table> unwrap_table(Napi::Env env, napi_value value);

}  // namespace sampled_softmax
