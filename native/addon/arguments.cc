#include "addon/arguments.h"

namespace sampled_softmax {

void throw_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

void throw_internal(Napi::Env env, const std::string& message) {
  throw_error(env, "ERR_INTERNAL", "sampled-softmax addon: " + message);
}

const char* code_name(Code code) {
  switch (code) {
    case Code::ok: return "OK";
    case Code::aborted: return "ERR_ABORTED";
    case Code::out_of_memory: return "ERR_OUT_OF_MEMORY";
    case Code::draw_limit: return "ERR_DRAW_LIMIT";
    case Code::invalid_argument: return "ERR_INVALID_ARG_VALUE";
    case Code::environment: return "ERR_ENVIRONMENT";
    case Code::device_unavailable: return "ERR_DEVICE_UNAVAILABLE";
    case Code::device_failed: return "ERR_DEVICE_FAILED";
  }
  return "ERR_INTERNAL";
}

void throw_if_error(Napi::Env env, const Status& status) {
  if (!status.ok()) throw_error(env, code_name(status.code), status.message);
}

static size_t element_size(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    // A Float16Array has a number of its own in newer versions of Node-API than the one we are built against.
    default: return static_cast<int>(type) > static_cast<int>(napi_biguint64_array) ? 2 : 1;
  }
}

size_t TypedArray::bytes() const { return length * element_size(type); }

TypedArray read_typed_array(Napi::Env env, napi_value value, const char* name) {
  TypedArray array;
  if (napi_get_typedarray_info(env, value, &array.type, &array.length, &array.data, nullptr, nullptr) != napi_ok) {
    throw_internal(env, std::string(name) + ": not a typed array");
  }
  return array;
}

void* read_array_of(Napi::Env env, napi_value value, const char* name, napi_typedarray_type type, size_t length) {
  TypedArray array = read_typed_array(env, value, name);
  if (array.type != type || array.length != length) {
    throw_internal(env, std::string(name) + ": wrong element type or length (" + std::to_string(array.length) +
                            " instead of " + std::to_string(length) + ")");
  }
  return array.data;
}

Ids ids_of(Napi::Env env, const TypedArray& array, const char* name) {
  if (array.type == napi_int32_array) return static_cast<const int32_t*>(array.data);
  if (array.type == napi_bigint64_array) return static_cast<const int64_t*>(array.data);
  throw_internal(env, std::string(name) + ": not an Int32Array or BigInt64Array");
}

std::vector<int64_t> read_ids(Napi::Env env, napi_value value, const char* name) {
  const TypedArray array = read_typed_array(env, value, name);
  std::vector<int64_t> ids(array.length);
  copy_ids(env, array, name, ids.data());
  return ids;
}

void copy_ids(Napi::Env env, const TypedArray& array, const char* name, int64_t* ids) {
  const Ids from = ids_of(env, array, name);
  for (size_t i = 0; i < array.length; ++i) ids[i] = from[static_cast<int64_t>(i)];
}

Counts counts_of(Napi::Env env, const TypedArray& array, const char* name) {
  if (array.type == napi_float32_array) return static_cast<const float*>(array.data);
  if (array.type == napi_float64_array) return static_cast<const double*>(array.data);
  throw_internal(env, std::string(name) + ": not a Float32Array or Float64Array");
}

int64_t read_size(Napi::Env env, napi_value value, const char* name) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0 && number < 9007199254740992.0) ||
      number != static_cast<double>(static_cast<int64_t>(number))) {
    throw_internal(env, std::string(name) + ": not a size");
  }
  return static_cast<int64_t>(number);
}

napi_value get(Napi::Env env, napi_value object, const char* key) {
  napi_value value;
  if (napi_get_named_property(env, object, key, &value) != napi_ok) {
    Napi::Error error = Napi::Error::New(env);  // takes what a getter threw, too
    if (is_nullish(env, object)) throw_internal(env, std::string(key) + ": not a property of an object");
    throw error;
  }
  return value;
}

bool is_nullish(Napi::Env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) != napi_ok || type == napi_null || type == napi_undefined;
}

double get_double(Napi::Env env, napi_value object, const char* key) {
  double number;
  if (napi_get_value_double(env, get(env, object, key), &number) != napi_ok)
    throw_internal(env, std::string(key) + ": not a number");
  return number;
}

bool get_bool(Napi::Env env, napi_value object, const char* key) {
  bool flag;
  if (napi_get_value_bool(env, get(env, object, key), &flag) != napi_ok)
    throw_internal(env, std::string(key) + ": not a boolean");
  return flag;
}

Napi::Value new_ids(Napi::Env env, size_t length, bool wide, void** data) {
  if (wide) {
    Napi::BigInt64Array array = Napi::BigInt64Array::New(env, length);
    *data = array.Data();
    return array;
  }
  Napi::Int32Array array = Napi::Int32Array::New(env, length);
  *data = array.Data();
  return array;
}

}  // namespace sampled_softmax
