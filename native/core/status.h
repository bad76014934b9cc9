// How the core and the backends report a failure: no exceptions cross a backend's boundary, and nothing prints.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace sampled_softmax {

enum class Code : int32_t {
  ok = 0,
  aborted,             // the caller's flag was seen
  out_of_memory,       // the message says how much was asked for
  draw_limit,          // a sampler needed more tries than its documented limit
  invalid_argument,    // the facade should have refused this first
  environment,         // an environment variable that cannot be obeyed
  device_unavailable,  // no such device, with the reason
  device_failed,       // an error of a device, which may no longer work: the message names the call, and kernels
};

struct Status {
  Code code = Code::ok;
  char message[240] = {0};

  bool ok() const { return code == Code::ok; }

#if defined(__GNUC__)
  __attribute__((format(printf, 2, 3)))
#endif
  static Status
  error(Code code, const char* format, ...) {
    Status status;
    status.code = code;
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    return status;
  }
};

}  // namespace sampled_softmax
