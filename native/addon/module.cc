// The addon's table of contents: each file registers its own functions. Node-API only, no arithmetic.
#include <napi.h>

#include "addon/register.h"
#include "core/freed_memory.h"

namespace sampled_softmax {

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  keep_freed_memory();
  register_runtime(env, exports);
  register_devices(env, exports);
  register_losses(env, exports);
  register_samplers(env, exports);
  register_tables(env, exports);
  return exports;
}

}  // namespace sampled_softmax

static Napi::Object start(Napi::Env env, Napi::Object exports) { return sampled_softmax::initialize(env, exports); }

NODE_API_MODULE(sampled_softmax, start)
