#include "core/samplers/vocab.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace sampled_softmax {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr const char* kBlanks = " \t\r\v\f";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// from_chars, unlike strtof, does not depend on the locale.
bool parse_weight(std::string_view field, float* weight) {
  if (!field.empty() && field.front() == '+') field.remove_prefix(1);
  const char* end = field.data() + field.size();
  const std::from_chars_result result = std::from_chars(field.data(), end, *weight);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(*weight) && *weight >= 0;
}

}  // namespace

Status parse_vocab(const char* text, size_t length, std::vector<float>* weights) {
  std::string_view rest(text, length);
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t comma = line.rfind(',');
    const std::string_view field = trimmed(comma == std::string_view::npos ? line : line.substr(comma + 1));
    float weight = 0;
    if (!parse_weight(field, &weight)) {
      return Status::error(Code::invalid_argument,
                           "line %zu: expected a finite weight >= 0 in the last field, got '%.*s'", number,
                           static_cast<int>(line.size() < 80 ? line.size() : 80), line.data());
    }
    weights->push_back(weight);
  }
  return {};
}

}  // namespace sampled_softmax
