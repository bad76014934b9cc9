// The backend library under test: its file is the first argument of the program.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "core/backend.h"

namespace sampled_softmax {

inline void* open_library(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(2);
  }
  return library;
}

template <class Function>
Function find_function(void* library, const char* name) {
  void* function = dlsym(library, name);
  if (!function) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(2);
  }
  return reinterpret_cast<Function>(function);
}

inline const Backend& open_backend(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s LIBRARY\n", argv[0]);
    std::exit(2);
  }
  const Backend* backend = find_function<BackendFunction>(open_library(argv[1]), kBackendSymbol)();
  if (backend->version != kBackendVersion) {
    std::fprintf(stderr, "%s: backend version %d, not %d\n", argv[1], backend->version, kBackendVersion);
    std::exit(2);
  }
  return *backend;
}

}  // namespace sampled_softmax
