#include "dockerfile/chmod_mode.h"

namespace slipway::dockerfile {
namespace {

/// Drops the characters of `set` from the front of `text`; true if there was one.
bool skip(std::string_view& text, std::string_view set) {
  const std::size_t before = text.size();
  text.remove_prefix(std::min(text.find_first_not_of(set), text.size()));
  return text.size() != before;
}

}  // namespace

std::optional<unsigned> parse_octal_mode(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<unsigned>(c - '0');
    if (value > 07777) return std::nullopt;
  }
  return value;
}

bool is_symbolic_mode(std::string_view text) {
  while (true) {
    skip(text, "ugoa");
    bool any = false;
    while (!text.empty() && std::string_view("+-=").find(text.front()) != std::string_view::npos) {
      text.remove_prefix(1);
      skip(text, "rwxXstugo");
      any = true;
    }
    if (!any) return false;
    if (text.empty()) return true;
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
}

}  // namespace slipway::dockerfile
