#include "runtime/fiber.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#if !defined(__x86_64__) || defined(CUEMU_UCONTEXT)
#include <ucontext.h>
#endif

namespace cuemu {
namespace {

constexpr size_t kStack = 128 << 10;
constexpr size_t kGuard = 4096;

Fiber* running = nullptr;

char* new_stack() {
  void* p = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    std::perror("cuemu: a fiber's stack");
    std::abort();
  }
  mprotect(p, kGuard, PROT_NONE);
  return static_cast<char*>(p) + kGuard;
}

const char* running_stack = nullptr;

}  // namespace

bool Fiber::is_on_stack(const void* address) {
  const char* a = static_cast<const char*>(address);
  return running_stack && a >= running_stack && a < running_stack + kStack;
}

bool Fiber::ran_out_of_stack(const void* address) {
  const char* a = static_cast<const char*>(address);
  return running_stack && a >= running_stack - kGuard && a < running_stack;
}

#if defined(__x86_64__) && !defined(CUEMU_UCONTEXT)

// Saves the registers that a call must preserve on the old stack and takes them from the new one. swapcontext would do,
// but for two system calls a switch: 20 times slower.
extern "C" void cuemu_switch(void** old_stack_pointer, void* new_stack_pointer);
asm(R"(.text
.globl cuemu_switch
.hidden cuemu_switch
.type cuemu_switch,@function
cuemu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuemu_switch, .-cuemu_switch)");

namespace {
void* outside = nullptr;
}

void Fiber::start(void (*entry)()) {
  if (!stack_) stack_ = new_stack();
  // As if the entry had called cuemu_switch: six registers, the return address, and a null one that aligns the stack.
  constexpr size_t kRegisters = 6;
  void** top = reinterpret_cast<void**>(stack_ + kStack) - 2;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(entry);
  top -= kRegisters;
  std::memset(top, 0, kRegisters * sizeof *top);
  context_ = top;
}

void Fiber::resume() {
  running = this;
  running_stack = stack_;
  cuemu_switch(&outside, context_);
  running = nullptr;
  running_stack = nullptr;
}

void Fiber::pause() { cuemu_switch(&running->context_, outside); }

#else

namespace {
ucontext_t outside;
ucontext_t& context(void* p) { return *static_cast<ucontext_t*>(p); }
}  // namespace

void Fiber::start(void (*entry)()) {
  if (!stack_) stack_ = new_stack();
  if (!context_) context_ = new ucontext_t;
  getcontext(&context(context_));
  context(context_).uc_stack.ss_sp = stack_;
  context(context_).uc_stack.ss_size = kStack;
  context(context_).uc_link = nullptr;
  makecontext(&context(context_), entry, 0);
}

void Fiber::resume() {
  running = this;
  running_stack = stack_;
  swapcontext(&outside, &context(context_));
  running = nullptr;
  running_stack = nullptr;
}

void Fiber::pause() { swapcontext(&context(running->context_), &outside); }

#endif

}  // namespace cuemu
