// Accidental hits: sampled classes that are a true class of a row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sampled_softmax {

struct AccidentalHits {
  std::vector<int32_t> rows;
  std::vector<int32_t> positions;  // in the sample
};

// One pair per (row, true slot, copy in the sample), in that order; a label repeated in a row repeats its
// pairs. With `last_only` a class sampled several times counts only where it stands last (TensorFlow).
AccidentalHits find_accidental_hits(const int64_t* true_classes, size_t num_true_classes, size_t num_true,
                                    const int64_t* sampled, size_t num_sampled, bool last_only);

}  // namespace sampled_softmax
