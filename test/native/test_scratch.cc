// The working memory of a call: aligned parts that do not overlap, a block that is used again, and an error where there
// is not enough memory.
#include <cstdint>

#include "check.h"
#include "cpu/scratch.h"

using namespace sampled_softmax;

int main() {
  void* first_block = nullptr;
  for (int round = 0; round < 2; ++round) {
    Scratch scratch;
    float* a = nullptr;
    double* b = nullptr;
    scratch.plan(a, 7);
    scratch.plan(b, int64_t{3} << 20);
    const Status status = scratch.allocate();
    CHECK(status.ok(), "%s", status.message);
    CHECK(reinterpret_cast<uintptr_t>(a) % 64 == 0 && reinterpret_cast<uintptr_t>(b) % 64 == 0, "aligned");
    CHECK(reinterpret_cast<char*>(b) - reinterpret_cast<char*>(a) >= 64, "apart");
    a[6] = 1;
    b[(3 << 20) - 1] = 2;
    if (round == 0) first_block = a;
    CHECK(round == 0 || first_block == a, "the block of the call before is used again");
  }
  Scratch::release_kept();
  {
    Scratch scratch;
    char* small = nullptr;
    scratch.plan(small, 100);
    CHECK(scratch.allocate().ok() && small != first_block, "the block was released");
  }
  Scratch impossible;
  double* nothing = nullptr;
  impossible.plan(nothing, int64_t{1} << 56);
  const Status status = impossible.allocate();
  CHECK(status.code == Code::out_of_memory && !nothing, "%s", status.message);
  return finish("scratch");
}
