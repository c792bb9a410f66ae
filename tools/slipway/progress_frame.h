#pragma once
// What one picture of the live view holds, line by line: a pure function of the state, the size and the time.
//
//   [+] Building 12.3s (5/9)
//   linux/amd64 (2/3)
//    => [linux/amd64 build 2/3] RUN make                        native 3.2s
//    => => # cc -c a.c
//   linux/arm64 (1/3)
//    => 1 step done
//    => [linux/arm64 build 2/3] RUN make                      emulated 9.1s
#include <cstddef>
#include <string>
#include <vector>

#include "slipway/progress_view.h"

namespace slipway {

enum class LineStyle { Plain, Header, Lane, Done, Failed, Cancelled, Warning, Log };

struct FrameLine {
  std::string text;  ///< clean, without colour
  LineStyle style = LineStyle::Plain;
  bool operator==(const FrameLine&) const = default;
};

/// Live pictures fit the terminal. The last one stays in the scroll-back: it has every step that ran, no
/// logs, and its warnings are not cut.
enum class FrameKind { Live, Last };

struct FrameShape {
  std::size_t width = 80;     ///< columns of the longest line
  std::size_t height = 24;    ///< most lines; of no meaning for the last picture
  std::size_t log_lines = 4;  ///< under each step that runs
  FrameKind kind = FrameKind::Live;
};

/// Where there are more lines than fit, what tells least goes first: finished steps (the oldest first,
/// counted in one line for each platform), log lines, transfers, headings, and in the end the last lines.
std::vector<FrameLine> compose_frame(const ProgressView& view, const FrameShape& shape, EventTime now);

}  // namespace slipway
