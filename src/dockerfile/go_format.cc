#include "dockerfile/go_format.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/strings.h"

namespace slipway::dockerfile {
namespace {

/// Length of the well-formed UTF-8 sequence at text[at], with its code point; 0 if there is none.
std::size_t read_rune(std::string_view text, std::size_t at, char32_t& rune) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 0 || first > 0xF4 || at + length > text.size()) return 0;
  static constexpr std::array<unsigned char, 5> kMask = {0, 0x7F, 0x1F, 0x0F, 0x07};
  rune = first & kMask.at(length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    rune = (rune << 6) | (byte(at + i) & 0x3F);
  }
  const bool too_long = (length == 3 && rune < 0x800) || (length == 4 && rune < 0x10000);
  if (too_long || rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) return 0;
  return length;
}

/// Blanks, controls, marks of direction, private use: what Unicode has and no screen shows.
bool prints(char32_t rune) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 14> kUnseen = {{{0x00, 0x1F},
                                                                             {0x7F, 0xA0},
                                                                             {0xAD, 0xAD},
                                                                             {0x1680, 0x1680},
                                                                             {0x180E, 0x180E},
                                                                             {0x2000, 0x200F},
                                                                             {0x2028, 0x202F},
                                                                             {0x205F, 0x206F},
                                                                             {0x3000, 0x3000},
                                                                             {0xE000, 0xF8FF},
                                                                             {0xFEFF, 0xFEFF},
                                                                             {0xFFF0, 0xFFFB},
                                                                             {0xFFFE, 0xFFFF},
                                                                             {0xE0000, 0x10FFFF}}};
  return std::ranges::none_of(
      kUnseen, [rune](const auto& range) { return rune >= range.first && rune <= range.second; });
}

void append_hex(std::string& out, const char* format, unsigned value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), format, value);
  out += text.data();
}

}  // namespace

std::string go_quoted(std::string_view text) {
  static constexpr std::string_view kPlain = "\a\b\f\n\r\t\v\\\"", kLetters = "abfnrtv\\\"";
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    char32_t rune = 0;
    const std::size_t length = read_rune(text, at, rune);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0) {
      append_hex(out, "\\x%02x", byte);
      ++at;
      continue;
    }
    if (const std::size_t known = kPlain.find(text[at]); length == 1 && known != std::string_view::npos) {
      out += '\\';
      out += kLetters[known];
    } else if (prints(rune)) {
      out += text.substr(at, length);
    } else if (length == 1) {
      append_hex(out, "\\x%02x", byte);
    } else {
      append_hex(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", static_cast<unsigned>(rune));
    }
    at += length;
  }
  return out + '"';
}

std::string go_quoted_list(const std::vector<std::string>& list) {
  std::string out = "[";
  for (std::size_t i = 0; i < list.size(); ++i) out += concat(i == 0 ? "" : " ", go_quoted(list[i]));
  return out + "]";
}

std::string go_list(const std::vector<std::string>& list) { return concat("[", join(list, " "), "]"); }

std::string go_duration(std::int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  const std::string sign = nanoseconds < 0 ? "-" : "";
  std::uint64_t left = nanoseconds < 0 ? ~static_cast<std::uint64_t>(nanoseconds) + 1
                                       : static_cast<std::uint64_t>(nanoseconds);
  // `left` in units of `unit`, with a fraction that has no zeros at its end.
  const auto with_fraction = [&left](std::uint64_t unit) {
    std::string out = std::to_string(left / unit);
    std::string digits = std::to_string(unit + left % unit).substr(1);
    while (!digits.empty() && digits.back() == '0') digits.pop_back();
    return digits.empty() ? out : concat(out, ".", digits);
  };
  if (left < 1'000) return concat(sign, left, "ns");
  if (left < 1'000'000) return concat(sign, with_fraction(1'000), "µs");
  if (left < 1'000'000'000) return concat(sign, with_fraction(1'000'000), "ms");
  constexpr std::uint64_t kMinute = 60'000'000'000, kHour = 60 * kMinute;
  std::string out = sign;
  const bool hours = left >= kHour, minutes = left >= kMinute;
  if (hours) out += concat(left / kHour, "h");
  left %= kHour;
  if (minutes) out += concat(left / kMinute, "m");
  left %= kMinute;
  return concat(out, with_fraction(1'000'000'000), "s");
}

}  // namespace slipway::dockerfile
