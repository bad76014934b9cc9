// The backend library under test: its file is the first argument of the program.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "core/backend.h"

namespace sampled_softmax {

inline const Backend& open_backend(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s LIBRARY\n", argv[0]);
    std::exit(2);
  }
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  void* function = library ? dlsym(library, kBackendSymbol) : nullptr;
  if (!function) {
    std::fprintf(stderr, "%s\n", dlerror());
    std::exit(2);
  }
  const Backend* backend = reinterpret_cast<BackendFunction>(function)();
  if (backend->version != kBackendVersion) {
    std::fprintf(stderr, "%s: backend version %d, not %d\n", argv[1], backend->version, kBackendVersion);
    std::exit(2);
  }
  return *backend;
}

}  // namespace sampled_softmax
