// Each of these adds its functions to the addon's exports (binding.d.ts has the same five parts).
#pragma once

#include <napi.h>

namespace sampled_softmax {

void register_runtime(Napi::Env env, Napi::Object exports);
void register_devices(Napi::Env env, Napi::Object exports);
void register_losses(Napi::Env env, Napi::Object exports);
void register_samplers(Napi::Env env, Napi::Object exports);
void register_tables(Napi::Env env, Napi::Object exports);

}  // namespace sampled_softmax
