// Weights from a vocabulary file: one line per class, the weight being the last comma-separated field.
#pragma once

#include <cstddef>
#include <vector>

#include "core/status.h"

namespace sampled_softmax {

// No quoting; blanks around the number, CRLF and a missing last line end are fine; an empty line is skipped
// and is no class. Any other line without a finite number >= 0 at its end is an error that names its number
// and text.
Status parse_vocab(const char* text, size_t length, std::vector<float>* weights);

}  // namespace sampled_softmax
