#include "dockerfile/size_text.h"

#include <charconv>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

/// 1 for "b" and nothing, 1024 for "k", "kb", "kib", …; 0 for anything else.
double unit_factor(std::string_view unit) {
  const std::string lower = to_lower(unit);
  if (lower.empty() || lower == "b") return 1;
  const std::size_t power = std::string_view("kmgtp").find(lower.front());
  if (power == std::string_view::npos) return 0;
  const std::string_view rest = std::string_view(lower).substr(1);
  if (!rest.empty() && rest != "b" && rest != "ib") return 0;
  double out = 1024;
  for (std::size_t i = 0; i < power; ++i) out *= 1024;
  return out;
}

}  // namespace

std::optional<std::int64_t> parse_memory_size(std::string_view text) {
  const std::size_t last = text.find_last_of("01234567890. ");
  if (last == std::string_view::npos) return std::nullopt;
  std::string_view number = text.substr(0, text[last] == ' ' ? last : last + 1);
  if (number.starts_with('+')) number.remove_prefix(1);
  const double factor = unit_factor(text.substr(last + 1));
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size() || factor == 0) return std::nullopt;
  // Written so that what is no number is refused too.
  if (!(value >= 0 && value * factor < 9.2e18)) return std::nullopt;
  return static_cast<std::int64_t>(value * factor);
}

}  // namespace slipway::dockerfile
