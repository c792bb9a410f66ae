#include "dockerfile/names.h"

#include <cctype>
#include <cstdint>

namespace slipway::dockerfile {
namespace {

/// Where letters of the world's scripts are, near enough: punctuation and symbols that people type are left
/// out.
bool is_letter(std::uint32_t c) {
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c < 0x300) return c != 0xD7 && c != 0xF7;
  if (c < 0x2000) return c >= 0x370;
  if (c < 0x3040) return c >= 0x2C00 && c < 0x2E00;
  return c < 0xD800 || (c >= 0xF900 && c < 0xFB00) || (c >= 0xFF21 && c < 0xFFE0) ||
         (c >= 0x20000 && c < 0x30000);
}

/// The bytes of the letter beyond ASCII at text[at], 0 if there is none.
std::size_t wide_letter(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return 0;
  std::uint32_t c = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xC0) != 0x80) return 0;
    c = (c << 6) | (next & 0x3FU);
  }
  return is_letter(c) ? length : 0;
}

}  // namespace

std::size_t name_length(std::string_view text, std::size_t at) {
  const auto is_digit = [&](std::size_t i) {
    return i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0;
  };
  std::size_t end = at;
  if (is_digit(at)) {
    while (is_digit(end)) ++end;
    return end - at;
  }
  if (at < text.size() && std::string_view("@*#?-$!").find(text[at]) != std::string_view::npos) return 1;
  while (end < text.size()) {
    const auto c = static_cast<unsigned char>(text[end]);
    const std::size_t length = std::isalnum(c) != 0 || c == '_' ? 1 : wide_letter(text, end);
    if (length == 0) break;
    end += length;
  }
  return end - at;
}

}  // namespace slipway::dockerfile
