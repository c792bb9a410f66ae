#include "slipway/frame_painter.h"

#include <algorithm>

#include "base/strings.h"
#include "slipway/terminal_text.h"

namespace slipway {

namespace {

// Control sequences of ECMA-48 and DEC's for the cursor, as every terminal since the VT220 knows them.
constexpr std::string_view kHideCursor = "\x1b[?25l";
constexpr std::string_view kShowCursor = "\x1b[?25h";
constexpr std::string_view kEraseLineEnd = "\x1b[K";
constexpr std::string_view kEraseBelow = "\x1b[J";
constexpr std::string_view kResetStyle = "\x1b[0m";

std::string_view code_of(LineStyle style) {
  switch (style) {
    case LineStyle::Header:
    case LineStyle::Lane:
      return "\x1b[1m";
    case LineStyle::Done:
      return "\x1b[34m";
    case LineStyle::Failed:
      return "\x1b[31m";
    case LineStyle::Cancelled:
    case LineStyle::Warning:
      return "\x1b[33m";
    case LineStyle::Log:
      return "\x1b[2m";
    case LineStyle::Plain:
      return {};
  }
  return {};
}

}  // namespace

std::string FramePainter::paint(const std::vector<FrameLine>& lines, std::size_t columns) {
  columns = std::max<std::size_t>(columns, 1);
  std::size_t up = 0;
  for (const std::size_t width : shown_) up += std::max<std::size_t>(1, (width + columns - 1) / columns);
  // The cursor is shown again after each picture: we may be killed between any two.
  std::string out(kHideCursor);
  if (up) out += concat("\x1b[", up, 'A');
  out += '\r';
  if (columns_ != columns)
    out += kEraseBelow;  // what the terminal made of the last picture is anybody's guess
  shown_.clear();
  for (const FrameLine& line : lines) {
    const std::string_view code = colour_ == Colour::Always ? code_of(line.style) : std::string_view{};
    out += concat(code, line.text, code.empty() ? std::string_view{} : kResetStyle, kEraseLineEnd, '\n');
    shown_.push_back(display_width(line.text));
  }
  columns_ = columns;
  return out += concat(kEraseBelow, kShowCursor);
}

}  // namespace slipway
