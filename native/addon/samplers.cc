// The samplers: JavaScript holds a type-tagged object around a sampler of native/core/samplers. Draws are
// synchronous.
#include <napi.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/register.h"
#include "core/accidental_hits.h"
#include "core/samplers/all_candidate.h"
#include "core/samplers/fixed_unigram.h"
#include "core/samplers/learned_unigram.h"
#include "core/samplers/log_uniform.h"
#include "core/samplers/mindspore_uniform.h"
#include "core/samplers/uniform.h"
#include "core/samplers/vocab.h"
#include "core/small_array.h"

namespace sampled_softmax {
namespace {

constexpr size_t kFewIds = 256;

enum class Kind : int64_t { uniform, log_uniform, learned_unigram, fixed_unigram, all_candidate, mindspore_uniform };

constexpr napi_type_tag kSamplerTag = {0x3f0d6f1b8c5e4a27, 0x9b6a51c2d47e80f3};

// What the JavaScript object owns; empty after dispose().
using Handle = std::unique_ptr<Sampler>;

Handle& handle_of(Napi::Env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  bool tagged = false;
  void* handle = nullptr;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_object ||
      napi_check_object_type_tag(env, value, &kSamplerTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, value, &handle) != napi_ok) {
    throw_internal(env, "not a sampler");
  }
  return *static_cast<Handle*>(handle);
}

Sampler& sampler_of(Napi::Env env, napi_value value) {
  Handle& handle = handle_of(env, value);
  if (!handle) throw_error(env, "ERR_DISPOSED", "the sampler has been disposed");
  return *handle;
}

Napi::Value wrap(Napi::Env env, Handle sampler) {
  Napi::Object object = Napi::Object::New(env);
  auto owned = std::make_unique<Handle>(std::move(sampler));
  const auto finalize = [](node_api_nogc_env, void* data, void*) { delete static_cast<Handle*>(data); };
  if (napi_wrap(env, object, owned.get(), finalize, nullptr, nullptr) != napi_ok) throw_internal(env, "napi_wrap");
  owned.release();
  if (napi_type_tag_object(env, object, &kSamplerTag) != napi_ok) throw_internal(env, "napi_type_tag_object");
  return object;
}

uint64_t get_bits(Napi::Env env, napi_value object, const char* key) {
  uint64_t bits = 0;
  bool lossless = false;
  if (napi_get_value_bigint_uint64(env, get(env, object, key), &bits, &lossless) != napi_ok) {
    throw_internal(env, std::string(key) + ": not a bigint");
  }
  return bits;
}

FixedUnigramOptions read_fixed(Napi::Env env, napi_value fixed) {
  FixedUnigramOptions result;
  TypedArray unigrams = read_typed_array(env, get(env, fixed, "unigrams"), "unigrams");
  if (unigrams.type != napi_float32_array) throw_internal(env, "unigrams: not a Float32Array");
  const float* weights = static_cast<const float*>(unigrams.data);
  result.unigrams.assign(weights, weights + unigrams.length);
  result.distortion = static_cast<float>(get_double(env, fixed, "distortion"));
  result.num_reserved = get_size(env, fixed, "numReservedIds");
  result.num_shards = get_size(env, fixed, "numShards");
  result.shard = get_size(env, fixed, "shard");
  return result;
}

Status make_sampler(Napi::Env env, napi_value call, Handle* sampler) {
  SamplerOptions options;
  options.range = static_cast<int64_t>(get_bits(env, call, "rangeMax"));
  options.num_sampled = get_size(env, call, "numSampled");
  options.unique = get_bool(env, call, "unique");
  const uint64_t seed = get_bits(env, call, "seed");
  options.generator = philox_from_seeds(seed, get_bits(env, call, "seed2"));
  options.tensorflow_skip = get_bool(env, call, "tensorflowSkip");
  if (options.range < 1 || options.num_sampled < 1) throw_internal(env, "rangeMax or numSampled below 1");
  const auto kind = static_cast<Kind>(get_size(env, call, "kind"));
  if (kind != Kind::uniform && kind != Kind::log_uniform && options.range > INT32_MAX) {
    throw_internal(env, "rangeMax beyond 32 bits");
  }
  switch (kind) {
    case Kind::uniform: *sampler = make_uniform_sampler(options); return {};
    case Kind::log_uniform: *sampler = make_log_uniform_sampler(options); return {};
    case Kind::learned_unigram: return make_learned_unigram_sampler(options, sampler);
    case Kind::fixed_unigram:
      return make_fixed_unigram_sampler(options, read_fixed(env, get(env, call, "fixed")), sampler);
    case Kind::all_candidate: *sampler = make_all_candidate_sampler(options.range); return {};
    case Kind::mindspore_uniform: {
      const bool avoid = get_bool(env, call, "avoidTrueClasses");
      *sampler = make_mindspore_uniform_sampler(options.range, options.num_sampled, seed, avoid);
      return {};
    }
  }
  throw_internal(env, "kind: no such sampler");
}

Napi::Value create_sampler(const Napi::CallbackInfo& call) {
  Handle sampler;
  throw_if_error(call.Env(), make_sampler(call.Env(), call[0], &sampler));
  if (sampler->unique() && sampler->num_sampled() > sampler->possible_classes()) {
    throw_error(call.Env(), "ERR_DRAW_IMPOSSIBLE",
                "numSampled: " + std::to_string(sampler->num_sampled()) +
                    " classes cannot be drawn without repeats, only " + std::to_string(sampler->possible_classes()) +
                    " of rangeMax = " + std::to_string(sampler->range()) + " can occur");
  }
  return wrap(call.Env(), std::move(sampler));
}

// The sampled classes go to an Int32Array by way of 64 bits, to a BigInt64Array directly.
Napi::Value draw_sample(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  Sampler& sampler = sampler_of(env, call[0]);
  const TypedArray given = read_typed_array(env, call[1], "trueClasses");
  SmallArray<int64_t, kFewIds> true_classes(given.length);
  copy_ids(env, given, "trueClasses", true_classes.data());
  for (int64_t id : true_classes) {
    if (id < 0 || id >= sampler.range()) throw_internal(env, "trueClasses: out of range");
  }
  const size_t sampled = static_cast<size_t>(sampler.num_sampled());
  TypedArray classes = read_typed_array(env, call[2], "sampled");
  const bool wide = classes.type == napi_bigint64_array;
  if (classes.length != sampled || (!wide && (classes.type != napi_int32_array || sampler.range() > INT32_MAX))) {
    throw_internal(env, "sampled: wrong element type or length");
  }
  Sample sample{};
  SmallArray<int64_t, kFewIds> drawn(wide ? 0 : sampled);
  sample.classes = wide ? static_cast<int64_t*>(classes.data) : drawn.data();
  sample.expected_count =
      static_cast<float*>(read_array_of(env, call[4], "sampledExpectedCount", napi_float32_array, sampled));
  sample.true_classes = true_classes.data();
  sample.num_true_classes = true_classes.size();
  sample.true_expected_count =
      static_cast<float*>(read_array_of(env, call[3], "trueExpectedCount", napi_float32_array, true_classes.size()));
  throw_if_error(env, sampler.draw(sample));
  int32_t* narrow = static_cast<int32_t*>(classes.data);
  for (size_t i = 0; i < drawn.size(); ++i) narrow[i] = static_cast<int32_t>(drawn[i]);
  return Napi::Number::New(env, static_cast<double>(sample.num_tries));
}

Napi::Value first_impossible_class(const Napi::CallbackInfo& call) {
  Sampler& sampler = sampler_of(call.Env(), call[0]);
  const std::vector<int64_t> ids = read_ids(call.Env(), call[1], "classes");
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= sampler.range()) throw_internal(call.Env(), "classes: out of range");
    if (!sampler.possible(ids[i])) return Napi::Number::New(call.Env(), static_cast<double>(i));
  }
  return Napi::Number::New(call.Env(), -1);
}

Napi::Value sampler_state(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const SamplerState state = sampler_of(env, call[0]).state();
  Napi::BigUint64Array generator = Napi::BigUint64Array::New(env, state.generator.size());
  std::copy(state.generator.begin(), state.generator.end(), generator.Data());
  Napi::Object result = Napi::Object::New(env);
  result.Set("generator", generator);
  const auto array = [env](const std::vector<int64_t>& from) {
    void* to;
    const Napi::Value made = new_ids(env, from.size(), true, &to);
    std::copy(from.begin(), from.end(), static_cast<int64_t*>(to));
    return made;
  };
  result.Set("classes", array(state.classes));
  result.Set("counts", array(state.counts));
  return result;
}

Napi::Value restore_sampler(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  SamplerState state;
  TypedArray generator = read_typed_array(env, get(env, call[1], "generator"), "generator");
  if (generator.type != napi_biguint64_array) throw_internal(env, "generator: not a BigUint64Array");
  const uint64_t* words = static_cast<const uint64_t*>(generator.data);
  state.generator.assign(words, words + generator.length);
  state.classes = read_ids(env, get(env, call[1], "classes"), "classes");
  state.counts = read_ids(env, get(env, call[1], "counts"), "counts");
  throw_if_error(env, sampler_of(env, call[0]).restore(state));
  return env.Undefined();
}

Napi::Value dispose_sampler(const Napi::CallbackInfo& call) {
  handle_of(call.Env(), call[0]).reset();
  return call.Env().Undefined();
}

Napi::Value parse_vocab_file(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  TypedArray text = read_typed_array(env, call[0], "text");
  if (text.type != napi_uint8_array) throw_internal(env, "text: not a Uint8Array");
  std::vector<float> weights;
  const Status status = parse_vocab(static_cast<const char*>(text.data), text.length, &weights);
  if (!status.ok()) {
    throw_error(env, "ERR_VOCAB_FILE",
                "vocabFile: '" + call[1].As<Napi::String>().Utf8Value() + "', " + status.message);
  }
  Napi::Float32Array result = Napi::Float32Array::New(env, weights.size());
  std::copy(weights.begin(), weights.end(), result.Data());
  return result;
}

Napi::Value compute_accidental_hits(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const std::vector<int64_t> true_classes = read_ids(env, call[0], "trueClasses");
  const std::vector<int64_t> sampled = read_ids(env, call[1], "sampled");
  const size_t num_true = static_cast<size_t>(read_size(env, call[2], "numTrue"));
  if (num_true < 1 || true_classes.size() > INT32_MAX || sampled.size() > INT32_MAX) throw_internal(env, "sizes");
  const AccidentalHits hits = find_accidental_hits(true_classes.data(), true_classes.size(), num_true, sampled.data(),
                                                   sampled.size(), call[3].As<Napi::Boolean>().Value());
  const auto make = [env](const std::vector<int32_t>& numbers) {
    Napi::Int32Array array = Napi::Int32Array::New(env, numbers.size());
    std::copy(numbers.begin(), numbers.end(), array.Data());
    return array;
  };
  Napi::Object result = Napi::Object::New(env);
  result.Set("indices", make(hits.rows));
  result.Set("ids", make(hits.positions));
  return result;
}

}  // namespace

void register_samplers(Napi::Env env, Napi::Object exports) {
  exports.Set("createSampler", Napi::Function::New(env, create_sampler, "createSampler"));
  exports.Set("drawSample", Napi::Function::New(env, draw_sample, "drawSample"));
  exports.Set("firstImpossibleClass", Napi::Function::New(env, first_impossible_class, "firstImpossibleClass"));
  exports.Set("samplerState", Napi::Function::New(env, sampler_state, "samplerState"));
  exports.Set("restoreSampler", Napi::Function::New(env, restore_sampler, "restoreSampler"));
  exports.Set("disposeSampler", Napi::Function::New(env, dispose_sampler, "disposeSampler"));
  exports.Set("parseVocab", Napi::Function::New(env, parse_vocab_file, "parseVocab"));
  exports.Set("computeAccidentalHits", Napi::Function::New(env, compute_accidental_hits, "computeAccidentalHits"));
}

}  // namespace sampled_softmax
