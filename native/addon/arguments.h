// Readers of JavaScript arguments. The facade has checked everything; what fails here is a mistake in the facade
// and becomes ERR_INTERNAL. Pointers come from napi_get_typedarray_info, so a view's offset is in them.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"
#include "core/views.h"

namespace sampled_softmax {

// Throws a JavaScript Error with a `code`; lib/errors.ts turns it into the class that belongs to the code.
[[noreturn]] void throw_error(Napi::Env env, const char* code, const std::string& message);
[[noreturn]] void throw_internal(Napi::Env env, const std::string& message);
// The code string of a core Code, such as "ERR_OUT_OF_MEMORY"; Code::aborted is "ERR_ABORTED", which the facade
// replaces by the signal's reason.
const char* code_name(Code code);
void throw_if_error(Napi::Env env, const Status& status);

struct TypedArray {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_uint8_array;

  size_t bytes() const;
};

// SharedArrayBuffer views work too. Takes pointer and length at this moment: never keep them across calls into
// JavaScript unless the buffer is pinned.
TypedArray read_typed_array(Napi::Env env, napi_value value, const char* name);
void* read_array_of(Napi::Env env, napi_value value, const char* name, napi_typedarray_type type, size_t length);
// Int32Array or BigInt64Array, in place.
Ids ids_of(Napi::Env env, const TypedArray& array, const char* name);
// The same as 64-bit ids, copied.
std::vector<int64_t> read_ids(Napi::Env env, napi_value value, const char* name);
void copy_ids(Napi::Env env, const TypedArray& array, const char* name, int64_t* ids);
// Float32Array or Float64Array, in place.
Counts counts_of(Napi::Env env, const TypedArray& array, const char* name);
// A non-negative number that is an exact integer below 2^53.
int64_t read_size(Napi::Env env, napi_value value, const char* name);
napi_value get(Napi::Env env, napi_value object, const char* key);
bool is_nullish(Napi::Env env, napi_value value);

inline int64_t get_size(Napi::Env env, napi_value object, const char* key) {
  return read_size(env, get(env, object, key), key);
}
double get_double(Napi::Env env, napi_value object, const char* key);
bool get_bool(Napi::Env env, napi_value object, const char* key);

// A new Int32Array or BigInt64Array of zeros, and its memory.
Napi::Value new_ids(Napi::Env env, size_t length, bool wide, void** data);

}  // namespace sampled_softmax
