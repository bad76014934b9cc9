// Devices as JavaScript sees them: which there are, which one is the default, and the memory that they keep.
#include <napi.h>

#include "addon/arguments.h"
#include "addon/backends.h"
#include "addon/register.h"

namespace sampled_softmax {
namespace {

const CudaLook& look_or_throw(Napi::Env env) {
  const CudaLook& look = look_for_cuda();
  if (!look.backend) throw_error(env, code_name(Code::device_unavailable), look.reason);
  return look;
}

Napi::Value count_cuda_devices(const Napi::CallbackInfo& call) {
  return Napi::Number::New(call.Env(), look_or_throw(call.Env()).devices);
}

Napi::Value cuda_devices(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Napi::Array devices = Napi::Array::New(env);
  const CudaLook& look = look_for_cuda();
  for (int32_t index = 0; index < look.devices; ++index) {
    DeviceInfo info;
    throw_if_error(env, look.backend->device_info(index, &info));
    Napi::Object device = Napi::Object::New(env);
    device.Set("description", Napi::String::New(env, info.name));
    device.Set("memory", static_cast<double>(info.memory_bytes));
    device.Set("computeCapability", std::to_string(info.compute_major) + "." + std::to_string(info.compute_minor));
    devices.Set(devices.Length(), device);
  }
  return devices;
}

Napi::Value cuda_so_far(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const CudaLook* look = cuda_look_so_far();
  if (!look) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("available", look->backend != nullptr);
  result.Set("reason", look->reason);
  return result;
}

Napi::Value release_memory(const Napi::CallbackInfo& call) {
  throw_if_error(call.Env(), release_kept_memory());
  return call.Env().Undefined();
}

}  // namespace

void register_devices(Napi::Env env, Napi::Object exports) {
  int64_t number = 0;
  throw_if_error(env, default_device(&number));
  exports.Set("defaultDevice", static_cast<double>(number));
  exports.Set("countCudaDevices", Napi::Function::New(env, count_cuda_devices, "countCudaDevices"));
  exports.Set("cudaDevices", Napi::Function::New(env, cuda_devices, "cudaDevices"));
  exports.Set("cudaSoFar", Napi::Function::New(env, cuda_so_far, "cudaSoFar"));
  exports.Set("releaseMemory", Napi::Function::New(env, release_memory, "releaseMemory"));
}

}  // namespace sampled_softmax
