#include "runtime/console.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "runtime/memory.h"
#include "runtime/thread.h"

namespace cuemu {
namespace {

template <class T>
T take(const unsigned char*& at) {
  at += (sizeof(T) - reinterpret_cast<uint64_t>(at) % sizeof(T)) % sizeof(T);
  T value;
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

// One conversion such as "%5.2f", with the argument that it takes.
std::string convert(const std::string& conversion, const unsigned char*& arguments) {
  char text[512] = "";
  const auto print = [&](auto value) { std::snprintf(text, sizeof text, conversion.c_str(), value); };
  const bool is_long = conversion.find('l') != std::string::npos;
  switch (conversion.back()) {
    case '%': return "%";
    case 's': print(storage(take<uint64_t>(arguments))); break;
    case 'p': print(reinterpret_cast<void*>(take<uint64_t>(arguments))); break;
    case 'c':
    case 'd':
    case 'i':
    case 'o':
    case 'u':
    case 'x':
    case 'X': is_long ? print(take<uint64_t>(arguments)) : print(take<uint32_t>(arguments)); break;
    default: print(take<double>(arguments));
  }
  return text;
}

}  // namespace

int device_printf(const char* format, const unsigned char* arguments) {
  std::string text;
  int conversions = 0;
  for (const char* at = storage(format); *at;) {
    if (*at != '%') {
      text += *at++;
      continue;
    }
    const size_t length = std::strcspn(at + 1, "%sdiouxXcpeEfFgGaA") + 2;
    text += convert(std::string(at, length), arguments);
    conversions += at[length - 1] != '%';
    at += length;
  }
  std::fputs(text.c_str(), stdout);
  return conversions;
}

void device_assert(const char* message, const char* file, unsigned line) {
  kernel_fault(kAssert, "%s:%u: assertion failed: %s", storage(file), line, storage(message));
}

}  // namespace cuemu
