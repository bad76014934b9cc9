#include "addon/backends.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

#include "core/freed_memory.h"

namespace sampled_softmax {
namespace {

constexpr char kLibraryVariable[] = "SAMPLED_SOFTMAX_CUDA_LIBRARY";
constexpr char kLibraryName[] = "libsampled_softmax_cuda.so";

// Null where it is not set, or empty.
const char* environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

// The folder of the addon's own file, with its slash.
std::string own_folder() {
  static const char here = 0;  // an address inside the addon
  Dl_info info;
  if (!dladdr(&here, &info) || !info.dli_fname) return "./";
  const std::string file = info.dli_fname;
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "./" : file.substr(0, slash + 1);
}

std::string last_dl_error() {
  const char* text = dlerror();
  return text ? text : "no reason given";
}

CudaLook unavailable(std::string reason) {
  CudaLook look;
  look.reason = std::move(reason);
  return look;
}

// A library that was opened stays open, refused or not: nobody knows what it has started.
CudaLook look_now() {
  const char* named = environment_variable(kLibraryVariable);
  std::string file = named ? named : own_folder() + kLibraryName;
  // A name without a slash would be searched for in the system's folders.
  if (file.find('/') == std::string::npos) file.insert(0, "./");
  if (!named && access(file.c_str(), F_OK) != 0) {
    return unavailable("this build of sampled-softmax has no CUDA library: there is no file " + file);
  }
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const std::string error = last_dl_error();  // it names the file
    return unavailable(named ? std::string(kLibraryVariable) + " names a file that cannot be opened: " + error
                             : "the CUDA library cannot be opened: " + error);
  }
  void* symbol = dlsym(library, kBackendSymbol);
  if (!symbol) return unavailable("the CUDA library " + file + " has no function " + kBackendSymbol);
  BackendFunction function;
  static_assert(sizeof function == sizeof symbol, "POSIX: a function's address fits a void*");
  std::memcpy(&function, &symbol, sizeof function);
  const Backend* backend = function();
  if (!backend) return unavailable("the CUDA library " + file + " gave no backend");
  if (backend->version != kBackendVersion) {
    return unavailable("the CUDA library " + file + " has version " + std::to_string(backend->version) +
                       " of the backend interface, but this build of sampled-softmax has version " +
                       std::to_string(kBackendVersion));
  }
  CudaLook look;
  const Status status = backend->count_devices(&look.devices);
  if (!status.ok()) return unavailable(status.message);
  if (look.devices < 1) return unavailable("the CUDA library " + file + " found no device");
  look.backend = backend;
  return look;
}

// Written once, under the mutex; what it points to is never freed.
std::atomic<const CudaLook*> cuda_look{nullptr};
std::mutex look_mutex;

}  // namespace

const CudaLook& look_for_cuda() {
  if (const CudaLook* look = cuda_look_so_far()) return *look;
  std::lock_guard<std::mutex> lock(look_mutex);
  if (const CudaLook* look = cuda_look_so_far()) return *look;
  const CudaLook* look = new CudaLook(look_now());
  cuda_look.store(look, std::memory_order_release);
  return *look;
}

const CudaLook* cuda_look_so_far() { return cuda_look.load(std::memory_order_acquire); }

DeviceOfBackend find_device(int64_t number) {
  if (number == 0) return {&cpu_backend(), 0};
  const CudaLook& look = look_for_cuda();
  if (number < 0 || number > look.devices) return {};
  return {look.backend, static_cast<int32_t>(number - 1)};
}

Status default_device(int64_t* number) {
  *number = 0;
  const char* text = environment_variable("SAMPLED_SOFTMAX_DEVICE");
  if (!text || std::strcmp(text, "auto") == 0 || std::strcmp(text, "cpu") == 0) return {};
  *number = 1;
  if (std::strcmp(text, "cuda") == 0) return {};
  constexpr char kPrefix[] = "cuda:";
  constexpr size_t kPrefixLength = sizeof kPrefix - 1, kMaxDigits = 9;
  if (std::strncmp(text, kPrefix, kPrefixLength) == 0) {
    const char* digits = text + kPrefixLength;
    const size_t length = std::strlen(digits);
    const bool leading_zero = digits[0] == '0' && length > 1;
    if (length >= 1 && length <= kMaxDigits && !leading_zero && std::strspn(digits, "0123456789") == length) {
      *number = std::strtol(digits, nullptr, 10) + 1;
      return {};
    }
  }
  return Status::error(Code::environment, "SAMPLED_SOFTMAX_DEVICE=%.40s: expected auto, cpu, cuda or cuda:<index>",
                       text);
}

Status release_kept_memory() {
  const CudaLook* look = cuda_look_so_far();
  const Status on_cpu = cpu_backend().release_memory();
  const Status on_devices = look && look->backend ? look->backend->release_memory() : Status{};
  release_freed_memory();
  return on_cpu.ok() ? on_devices : on_cpu;
}

}  // namespace sampled_softmax
