#include "dockerfile/spaces.h"

namespace slipway::dockerfile {

std::size_t space_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(at);
  if (first == ' ' || (first >= '\t' && first <= '\r')) return 1;
  if (first == 0xC2) return byte(at + 1) == 0x85 || byte(at + 1) == 0xA0 ? 2 : 0;
  if (first == 0xE1) return byte(at + 1) == 0x9A && byte(at + 2) == 0x80 ? 3 : 0;
  if (first == 0xE3) return byte(at + 1) == 0x80 && byte(at + 2) == 0x80 ? 3 : 0;
  if (first != 0xE2) return 0;
  const unsigned third = byte(at + 2);
  if (byte(at + 1) == 0x80)
    return (third >= 0x80 && third <= 0x8A) || third == 0xA8 || third == 0xA9 || third == 0xAF ? 3 : 0;
  return byte(at + 1) == 0x81 && third == 0x9F ? 3 : 0;
}

std::size_t leading_spaces(std::string_view text) {
  std::size_t at = 0;
  while (const std::size_t length = space_at(text, at)) at += length;
  return at;
}

std::string_view trim_spaces(std::string_view text) {
  text.remove_prefix(leading_spaces(text));
  const auto ends_with_space = [&text](std::size_t length) {
    return text.size() >= length && space_at(text, text.size() - length) == length;
  };
  for (std::size_t length = 1; length <= 3;) {
    if (!ends_with_space(length)) {
      ++length;
      continue;
    }
    text.remove_suffix(length);
    length = 1;
  }
  return text;
}

}  // namespace slipway::dockerfile
