#include "dockerfile/tracked_expand.h"

#include <cctype>

namespace slipway::dockerfile {

TrackedText expand_tracked(std::string_view word, const ArgMap& values, char escape, TextBudget& budget) {
  TrackedText out;
  const Lookup lookup = [&](std::string_view name) -> std::optional<std::string_view> {
    const auto known = values.find(name);
    (known == values.end() ? out.missing : out.found).emplace(name);
    if (known == values.end()) return std::nullopt;
    return known->second;
  };
  out.text = expand_word(word, lookup, escape, budget);
  return out;
}

std::size_t place_of_variable(std::string_view text, std::size_t offset, std::string_view name) {
  for (std::size_t at = text.find('$', offset); at != std::string_view::npos; at = text.find('$', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('{')) rest.remove_prefix(1);
    if (!rest.starts_with(name)) continue;
    rest.remove_prefix(name.size());
    if (rest.empty() || (!std::isalnum(static_cast<unsigned char>(rest.front())) && rest.front() != '_'))
      return at;
  }
  return offset;
}

}  // namespace slipway::dockerfile
