#pragma once
// Turns pictures into what a terminal must be sent to show each in place of the one before. No I/O.
#include <cstddef>
#include <string>
#include <vector>

#include "slipway/progress_frame.h"

namespace slipway {

enum class Colour { Never, Always };

class FramePainter {
 public:
  explicit FramePainter(Colour colour) : colour_(colour) {}

  /// `columns` is the width of the terminal now; if it shrank, the lines of the last picture have been
  /// wrapped.
  std::string paint(const std::vector<FrameLine>& lines, std::size_t columns);

 private:
  Colour colour_;
  std::vector<std::size_t> shown_;  ///< widths of the lines that are on the screen
  std::size_t columns_ = 0;
};

}  // namespace slipway
