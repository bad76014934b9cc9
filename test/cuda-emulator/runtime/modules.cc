#include "runtime/modules.h"

#include <cstring>
#include <map>
#include <vector>

#include "runtime/findings.h"
#include "runtime/written.h"

namespace cuemu {
namespace {

// Filled by static constructors of translated files, so none of these may wait for a constructor of its own.
std::map<std::string, const Kernel*>& kernels() {
  static auto& by_name = *new std::map<std::string, const Kernel*>;
  return by_name;
}
std::vector<Site>& sites() {
  static auto& list = *new std::vector<Site>{{"", 0, "", 1, "", 0}};
  return list;
}
struct Placed {
  Variable variable;
  std::map<int, Allocation*> by_device;
};
std::vector<Placed>& variables() {
  static auto& list = *new std::vector<Placed>;
  return list;
}

Allocation& place(Placed& p, int device) {
  Allocation*& a = p.by_device[device];
  if (!a || !a->live) {
    a = allocate(device, p.variable.size);
    std::memcpy(storage(a->base), p.variable.initial, p.variable.size);
    mark_written(reinterpret_cast<uint64_t>(a->base), p.variable.size);
  }
  return *a;
}

}  // namespace

uint32_t add_sites(const Site* added, uint32_t n) {
  const auto first = uint32_t(sites().size());
  sites().insert(sites().end(), added, added + n);
  return first;
}
const Site& site(uint32_t number) { return sites()[number < sites().size() ? number : 0]; }

void add_kernel(const Kernel* kernel) { kernels()[kernel->name] = kernel; }
const Kernel* find_kernel(const char* name) {
  const auto it = kernels().find(name);
  return it == kernels().end() ? nullptr : it->second;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : kernels()) names.push_back(name);
  return names;
}

void add_variable(const Variable& variable) { variables().push_back({variable, {}}); }

void place_variables(int device) {
  for (Placed& p : variables()) *p.variable.address = reinterpret_cast<unsigned char*>(place(p, device).base);
}

Allocation* find_variable(const std::string& name, int device) {
  Placed* found = nullptr;
  for (Placed& p : variables()) {
    if (p.variable.name != name) continue;
    if (found) {
      report("api", 0, "several files have a variable " + name + ": which of them is meant cannot be told");
      return nullptr;
    }
    found = &p;
  }
  return found ? &place(*found, device) : nullptr;
}

}  // namespace cuemu
