// Runs a case on a backend.
#pragma once

#include <cstring>
#include <vector>

#include "cases.h"
#include "core/backend.h"

namespace sampled_softmax {

inline SoftmaxProblem as_softmax(const SampledProblem& p) {
  SoftmaxProblem s;
  s.device = p.device;
  s.batch = p.batch, s.dim = p.dim, s.num_true = p.num_true, s.num_classes = p.num_classes;
  s.float64 = p.float64, s.reduced_precision = p.reduced_precision;
  s.weights = p.weights, s.biases = p.biases;
  s.inputs = p.inputs, s.inputs_dtype = p.inputs_dtype;
  s.labels = p.labels;
  s.upstream = p.upstream, s.upstream_scale = p.upstream_scale;
  s.losses = p.losses, s.input_gradients = p.input_gradients;
  s.weight_gradients = p.weight_gradients, s.bias_gradients = p.bias_gradients;
  s.abort_flag = p.abort_flag;
  return s;
}

inline Status start(const Backend& backend, const Case& c, bool full, Notify notify, PendingCall** pending) {
  return full ? backend.start_softmax_loss(as_softmax(c.p), notify, pending)
              : backend.start_sampled_loss(c.p, notify, pending);
}

inline Status run(const Backend& backend, const Case& c, bool full) {
  PendingCall* pending = nullptr;
  Status status = start(backend, c, full, {}, &pending);
  if (status.ok() && pending) status = backend.finish(pending);
  return status;
}

inline bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 8) == 0);
}
inline bool same_results(const Case& a, const Case& b) {
  return same_bits(a.losses, b.losses) && same_bits(a.input_gradients, b.input_gradients) &&
         same_bits(a.weight_gradients, b.weight_gradients) && same_bits(a.bias_gradients, b.bias_gradients);
}

}  // namespace sampled_softmax
