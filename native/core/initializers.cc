#include "core/initializers.h"

#include <cfloat>

#include "core/elements.h"

#if FLT_EVAL_METHOD != 0
#error "initial values need double arithmetic without excess precision"
#endif

namespace sampled_softmax {
namespace {

constexpr int64_t kBlock = 1 << 14;  // elements; even, since a Philox block makes two

template <class Element, class Value>
void fill(typename Element::Type* elements, int64_t begin, int64_t end, uint64_t seed, const Value& value) {
  for (int64_t i = begin; i < end; i += 2) {
    uint32_t words[4];
    philox_block(seed, static_cast<uint64_t>(i) / 2, kTableStream, words);
    elements[i] = Element::store(value(centred(words[0], words[1])));
    if (i + 1 < end) elements[i + 1] = Element::store(value(centred(words[2], words[3])));
  }
}

}  // namespace

double normal_quantile(double q) { return quantile_of(q); }

void initialize(Table& table, const Initializer& initializer, ParallelFor parallel_for, const std::atomic<bool>& stop) {
  with_initial_value(initializer, table.rows(), table.dim(), [&](const auto& value) {
    with_element(table.dtype(), [&](auto element) {
      using Element = decltype(element);
      auto* elements = static_cast<typename Element::Type*>(table.data());
      for_blocks(parallel_for, table.rows() * table.dim(), kBlock, [&](int64_t begin, int64_t end) {
        if (!stop.load(std::memory_order_relaxed)) fill<Element>(elements, begin, end, initializer.seed, value);
      });
    });
  });
}

}  // namespace sampled_softmax
