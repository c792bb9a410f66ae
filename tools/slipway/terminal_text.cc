#include "slipway/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace slipway {

namespace {

constexpr std::size_t kLongestLine = 16 * 1024;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
  bool valid = true;
};

// The first character of a text that is not empty. Overlong forms and surrogates are not valid (RFC 3629).
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {.code = lead};
  if (lead < 0xC2 || lead > 0xF4) return {.valid = false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return {.valid = false};
  std::uint32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {.valid = false};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  static constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    return {.valid = false};
  return {.code = code, .bytes = length};
}

struct Range {
  std::uint32_t first, last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, std::uint32_t code) {
  const auto it = std::ranges::lower_bound(ranges, code, {}, &Range::last);
  return it != ranges.end() && it->first <= code;
}

// Characters that take two columns (Unicode TR11, classes W and F, with neighbouring blocks joined: to think
// a character too wide only cuts a line a little early).
constexpr std::array<Range, 33> kWide = {{
    {0x1100, 0x115F}, {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23F3}, {0x25FD, 0x25FE},
    {0x2614, 0x2615}, {0x2648, 0x2653},   {0x267F, 0x267F},   {0x2693, 0x2693}, {0x26A1, 0x26A1},
    {0x26AA, 0x26AB}, {0x26BD, 0x26BE},   {0x26C4, 0x26CE},   {0x26D4, 0x26FD}, {0x2705, 0x2705},
    {0x270A, 0x270B}, {0x2728, 0x2728},   {0x274C, 0x2757},   {0x2795, 0x2797}, {0x27B0, 0x27BF},
    {0x2B1B, 0x2B1C}, {0x2B50, 0x2B55},   {0x2E80, 0x303E},   {0x3041, 0xA4CF}, {0xA960, 0xA97F},
    {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},   {0xFE10, 0xFE19},   {0xFE30, 0xFE6F}, {0xFF00, 0xFF60},
    {0xFFE0, 0xFFE6}, {0x16FE0, 0x1B2FF}, {0x1F004, 0x3FFFD},
}};

// Characters that add nothing to the width: marks on the one before, joiners, variation selectors.
constexpr std::array<Range, 12> kZeroWidth = {{
    {0x0300, 0x036F},
    {0x0483, 0x0489},
    {0x0591, 0x05BD},
    {0x0610, 0x061A},
    {0x064B, 0x065F},
    {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF},
    {0x200B, 0x200D},
    {0x20D0, 0x20FF},
    {0xFE00, 0xFE0F},
    {0xFE20, 0xFE2F},
    {0xE0100, 0xE01EF},
}};

// Marks that change the direction of what follows: they can make a line read as something else.
constexpr std::array<Range, 4> kReordering = {
    {{0x061C, 0x061C}, {0x200E, 0x200F}, {0x202A, 0x202E}, {0x2066, 0x2069}}};

bool is_line_or_control(std::uint32_t code) {
  return (code < 0x20 && code != '\t') || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}

std::size_t width_of(std::uint32_t code) {
  if (code < 0x300) return 1;
  if (within(kZeroWidth, code)) return 0;
  return within(kWide, code) ? 2 : 1;
}

std::size_t skip_while(std::string_view text, std::size_t at, unsigned char first, unsigned char last) {
  const auto in_range = [&](char c) {
    return static_cast<unsigned char>(c) >= first && static_cast<unsigned char>(c) <= last;
  };
  while (at < text.size() && in_range(text[at])) ++at;
  return at;
}

// Parameter bytes, intermediate bytes, one final byte (ECMA-48, 5.4). `at` is after the introducer.
std::size_t end_of_control_sequence(std::string_view text, std::size_t at) {
  at = skip_while(text, at, 0x20, 0x3F);
  return at < text.size() && text[at] >= 0x40 && text[at] <= 0x7E ? at + 1 : at;
}

// Titles, hyperlinks and device strings go up to BEL or ESC \. Without an end they would hide the rest of the
// line, so then only the introducer is dropped.
std::size_t end_of_string_sequence(std::string_view text, std::size_t at) {
  const std::size_t bell = text.find('\a', at);
  const std::size_t terminator = text.find("\x1b\\", at);
  if (bell == std::string_view::npos && terminator == std::string_view::npos) return at;
  return bell < terminator ? bell + 1 : terminator + 2;
}

// `at` is the position of an ESC; the result is the first position after its sequence (ECMA-35, ECMA-48).
std::size_t end_of_escape(std::string_view text, std::size_t at) {
  ++at;
  if (at >= text.size()) return at;
  const char kind = text[at];
  if (kind == '[') return end_of_control_sequence(text, at + 1);
  if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_')
    return end_of_string_sequence(text, at + 1);
  at = skip_while(text, at, 0x20, 0x2F);
  return at < text.size() && text[at] >= 0x30 && text[at] <= 0x7E ? at + 1 : at;
}

// What a terminal would show in the end: the text after the last carriage return that has text after it.
std::string_view last_version(std::string_view raw) {
  while (!raw.empty() && raw.back() == '\r') raw.remove_suffix(1);
  const std::size_t restart = raw.rfind('\r');
  return restart == std::string_view::npos ? raw : raw.substr(restart + 1);
}

}  // namespace

std::string clean_line(std::string_view raw) {
  const std::string_view text = last_version(raw);
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\x1b') {
      at = end_of_escape(text, at);
      continue;
    }
    const Character c = first_character(text.substr(at));
    if (!c.valid) {
      out += kReplacement;
    } else if (c.code == 0x9B) {  // the one-character form of ESC [
      at = end_of_control_sequence(text, at + c.bytes);
      continue;
    } else if (!is_line_or_control(c.code) && !within(kReordering, c.code)) {
      out += text.substr(at, c.bytes);
    }
    at += c.bytes;
  }
  return out;
}

std::vector<std::string> clean_lines(std::string_view raw) {
  std::vector<std::string> lines;
  while (!raw.empty()) {
    const std::size_t end = raw.find('\n');
    lines.push_back(clean_line(raw.substr(0, end)));
    raw.remove_prefix(end == std::string_view::npos ? raw.size() : end + 1);
  }
  return lines;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    width += c.valid ? width_of(c.code) : 1;
    text.remove_prefix(c.bytes);
  }
  return width;
}

std::string fit_to_width(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t at = 0;
  for (std::size_t width = 0; at < text.size();) {
    const Character c = first_character(text.substr(at));
    width += c.valid ? width_of(c.code) : 1;
    if (width > columns - 1) break;
    at += c.bytes;
  }
  return std::string(text.substr(0, at)).append(kEllipsis);
}

std::string expand_tabs(std::string_view text) {
  constexpr std::size_t kStop = 8;
  std::string out;
  for (std::size_t column = 0; !text.empty();) {
    const Character c = first_character(text);
    if (c.code == '\t') {
      const std::size_t spaces = kStop - column % kStop;
      out.append(spaces, ' ');
      column += spaces;
    } else {
      out += text.substr(0, c.bytes);
      column += c.valid ? width_of(c.code) : 1;
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

std::vector<std::string> LineSplitter::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const std::size_t room = kLongestLine - partial_.size();
    const std::size_t end = bytes.substr(0, room).find('\n');
    if (end != std::string_view::npos) {
      lines.push_back(clean_line(partial_.append(bytes.substr(0, end))));
      partial_.clear();
      bytes.remove_prefix(end + 1);
      continue;
    }
    partial_ += bytes.substr(0, room);
    bytes.remove_prefix(std::min(room, bytes.size()));
    if (partial_.size() < kLongestLine) continue;
    // A character that the limit would cut goes to the next line whole.
    std::size_t cut = partial_.size();
    for (std::size_t back = 1; back <= 3; ++back) {
      const auto byte = static_cast<unsigned char>(partial_[partial_.size() - back]);
      if (byte >= 0xC0) cut = partial_.size() - back;
      if ((byte & 0xC0U) != 0x80U) break;
    }
    lines.push_back(clean_line(std::string_view(partial_).substr(0, cut)));
    partial_.erase(0, cut);
  }
  return lines;
}

std::optional<std::string> LineSplitter::rest() const {
  if (partial_.empty()) return std::nullopt;
  return clean_line(partial_);
}

std::optional<std::string> LineSplitter::take_rest() {
  std::optional<std::string> line = rest();
  partial_.clear();
  return line;
}

}  // namespace slipway
