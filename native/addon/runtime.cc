// What concerns the process rather than a loss: the instruction set, threads, and two checks of memory.
#include <napi.h>

#include <algorithm>

#include "addon/arguments.h"
#include "addon/register.h"
#include "core/backend.h"
#include "core/instruction_set.h"
#include "cpu/available_threads.h"
#include "cpu/pool.h"

namespace sampled_softmax {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Napi::Object result = Napi::Object::New(env);
  DeviceInfo cpu;
  throw_if_error(env, cpu_backend().device_info(0, &cpu));
  result.Set("instructionSet", Napi::String::New(env, cpu.name));
  Napi::Array sets = Napi::Array::New(env);
  for (const char* name : available_instruction_sets()) sets.Set(sets.Length(), name);
  result.Set("instructionSets", sets);
  result.Set("threads", pool_threads());
#if defined(__clang__)
  result.Set("compiler", "clang " __clang_version__);
#elif defined(__GNUC__)
  result.Set("compiler", "gcc " __VERSION__);
#else
  result.Set("compiler", "unknown");
#endif
  return result;
}

Napi::Value set_threads(const Napi::CallbackInfo& call) {
  set_pool_threads(static_cast<int>(read_size(call.Env(), call[0], "threads")));
  return call.Env().Undefined();
}

Napi::Value first_out_of_range(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  TypedArray ids = read_typed_array(env, call[0], "ids");
  bool lossless = false;
  int64_t limit = 0;
  if (napi_get_value_bigint_int64(env, call[1], &limit, &lossless) != napi_ok || !lossless)
    throw_internal(env, "limit");
  if (ids.type != napi_bigint64_array) throw_internal(env, "ids: not a BigInt64Array");
  const int64_t *begin = static_cast<const int64_t*>(ids.data), *end = begin + ids.length;
  const int64_t* found = std::find_if(begin, end, [limit](int64_t id) { return id < 0 || id >= limit; });
  return Napi::Number::New(env, found == end ? -1 : static_cast<double>(found - begin));
}

Napi::Value overlaps(const Napi::CallbackInfo& call) {
  TypedArray a = read_typed_array(call.Env(), call[0], "a"), b = read_typed_array(call.Env(), call[1], "b");
  const char *a0 = static_cast<char*>(a.data), *b0 = static_cast<char*>(b.data);
  return Napi::Boolean::New(call.Env(), a.bytes() && b.bytes() && a0 < b0 + b.bytes() && b0 < a0 + a.bytes());
}

}  // namespace

void register_runtime(Napi::Env env, Napi::Object exports) {
  for (const Status& status : {instruction_set_status(), pool_environment_status()}) {
    throw_if_error(env, status);
  }
  exports.Set("info", Napi::Function::New(env, info, "info"));
  exports.Set("setThreads", Napi::Function::New(env, set_threads, "setThreads"));
  exports.Set("firstOutOfRange", Napi::Function::New(env, first_out_of_range, "firstOutOfRange"));
  exports.Set("overlaps", Napi::Function::New(env, overlaps, "overlaps"));
}

}  // namespace sampled_softmax
