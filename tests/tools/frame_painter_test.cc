#include "slipway/frame_painter.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::vector<FrameLine> kTwoLines = {{"[+] Building", LineStyle::Header}, {" => RUN make", LineStyle::Plain}};

TEST(FramePainter, FirstPictureStartsWhereTheCursorIs) {
  FramePainter painter(Colour::Never);
  EXPECT_EQ(painter.paint(kTwoLines, 80), "\x1b[?25l\r\x1b[J[+] Building\x1b[K\n => RUN make\x1b[K\n\x1b[J\x1b[?25h");
}

TEST(FramePainter, NextPictureReplacesTheOneBefore) {
  FramePainter painter(Colour::Never);
  painter.paint(kTwoLines, 80);
  EXPECT_EQ(painter.paint({{"done", LineStyle::Plain}}, 80), "\x1b[?25l\x1b[2A\rdone\x1b[K\n\x1b[J\x1b[?25h");
}

TEST(FramePainter, ShrunkTerminalHasWrappedTheLastPicture) {
  FramePainter painter(Colour::Never);
  painter.paint(kTwoLines, 80);   // 12 columns each
  EXPECT_THAT(painter.paint(kTwoLines, 10), HasSubstr("\x1b[4A\r\x1b[J"));
}

TEST(FramePainter, ColourOnlyIfAsked) {
  FramePainter with(Colour::Always);
  EXPECT_THAT(with.paint({{"bad", LineStyle::Failed}}, 80), HasSubstr("\x1b[31mbad\x1b[0m\x1b[K\n"));
  FramePainter without(Colour::Never);
  EXPECT_THAT(without.paint({{"bad", LineStyle::Failed}}, 80), Not(HasSubstr("\x1b[31m")));
}

}  // namespace
}  // namespace slipway
