// What a translated file tells the runtime about itself: its kernels, its variables, and the places that touch memory.
// Plain tables, so that translated files compile fast and run no destructors while the device thread still works.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cuemu {

// A place in a kernel's source that touches memory.
struct Site {
  const char* file;
  int line;
  const char* what;  // the instruction
  // accesses that the machine code fuses into one are counted once, at the lowest address (n), not at the rest (0)
  int merge;
  const char* caller_file;  // where the function is called that the place lies in, if it is inlined; otherwise "", 0
  int caller_line;
};

struct Parameter {
  uint32_t offset, size;
};

struct OpcodeCount {  // how often an opcode stands in a basic block
  uint32_t block;
  const char* opcode;
  uint32_t count;
};

struct Kernel {
  const char* name;
  void (*run)(const unsigned char* parameters);  // one thread of it
  uint32_t static_shared, parameter_bytes;
  const Parameter* parameters;
  uint32_t parameter_count;
  uint32_t max_threads;  // of a block, by __launch_bounds__; 0: no bound
  bool checked;          // translated with CUEMU_CHECK: its accesses are seen
  uint64_t* block_counts;
  const OpcodeCount* opcodes;
  uint32_t opcode_count;
};

struct Variable {  // at module scope; each device has one of its own
  const char* name;
  unsigned char** address;  // set to that of the current device's before a launch
  const void* initial;
  size_t size;
};

uint32_t add_sites(const Site* sites, uint32_t n);  // returns the number of the first; number 0 is no place
const Site& site(uint32_t number);

void add_kernel(const Kernel* kernel);
const Kernel* find_kernel(const char* name);

void add_variable(const Variable& variable);

}  // namespace cuemu
