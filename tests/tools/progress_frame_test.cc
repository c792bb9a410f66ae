#include "slipway/progress_frame.h"

#include "base/strings.h"
#include "tools/event_script.h"
#include "tools/golden.h"

namespace slipway {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

// One letter for the style, a bar, the text.
std::string shown(const std::vector<FrameLine>& lines) {
  std::string out;
  for (const FrameLine& line : lines)
    out += concat("PHLDFCWO"[static_cast<std::size_t>(line.style)], '|', line.text, '\n');
  return out;
}

std::vector<std::string> texts(const std::vector<FrameLine>& lines) {
  std::vector<std::string> out;
  for (const FrameLine& line : lines) out.push_back(line.text);
  return out;
}

class Frame : public testing::Test {
 protected:
  template <class What>
  void send(double seconds, What what) {
    view.apply(Event{at(seconds), std::move(what)});
  }
  // The whole build, up to a moment.
  void play_until(double end) {
    play_whole_build([&](double seconds, auto what) {
      if (seconds <= end) send(seconds, std::move(what));
    });
  }
  // `finished` steps that ended well and `running` ones with four lines of output each, on one platform.
  void many_steps(int finished, int running) {
    for (int i = 0; i < finished + running; ++i) {
      const std::string id = concat("step", i);
      send(0, StepPlanned{id, concat("RUN ", i), "linux/amd64", {}});
      send(1, StepStarted{id, ExecutionMode::Native, ""});
      send(1, StepLog{id, 1, "1\n2\n3\n4\n"});
      if (i < finished) send(2, StepFinished{id, StepEnd::Done, ""});
    }
  }
  ProgressView view{4};
};

TEST_F(Frame, EmptyBuildHasOnlyAHeader) {
  EXPECT_EQ(shown(compose_frame(view, {}, view.began())), "H|[+] Building 0.0s (0/0)\n");
}

TEST_F(Frame, StepsStandUnderTheirPlatforms) {
  play_until(11.0);
  expect_golden(shown(compose_frame(view, {.width = 79, .height = 30}, at(11.5))), "frame_mid_build.txt");
}

TEST_F(Frame, EmulatedStepsSaySo) {
  play_until(13.1);
  expect_golden(shown(compose_frame(view, {.width = 79, .height = 30}, at(13.5))), "frame_emulated.txt");
}

TEST_F(Frame, AcceleratedStepsSaySo) {
  send(0, StepPlanned{"a", "RUN make", "linux/arm64", {}});
  send(1, StepStarted{"a", ExecutionMode::Emulated, "emulated by qemu-aarch64 7.2"});
  send(1, StepAccelerated{"a", 133});
  EXPECT_THAT(shown(compose_frame(view, {.width = 79, .height = 30}, at(2))),
              testing::HasSubstr("accelerated 1.0s"));
}

TEST_F(Frame, LastPictureHasEveryStepAndNoLog) {
  play_until(20);
  expect_golden(shown(compose_frame(view, {.width = 79, .height = 3, .kind = FrameKind::Last}, at(14.2))),
                "frame_last.txt");
}

TEST_F(Frame, NarrowTerminalLosesTheRightColumn) {
  play_until(11.0);
  for (const FrameLine& line : compose_frame(view, {.width = 20, .height = 30}, at(11.5)))
    EXPECT_LE(display_width(line.text), 20u) << line.text;
}

struct SizeCase {
  const char* name;
  std::size_t width, height;
};
void PrintTo(const SizeCase& row, std::ostream* out) { *out << row.name; }

class FrameFits : public Frame, public testing::WithParamInterface<SizeCase> {};

TEST_P(FrameFits, TheTerminal) {
  many_steps(30, 12);
  send(3, BytesMoved{"step35", "sha256:00 pushing", 1, 2, false});
  send(3, Warned{"日本語 a warning that is longer than most terminals are wide, and then some more of it"});
  const auto lines = compose_frame(view, {.width = GetParam().width, .height = GetParam().height}, at(4));
  EXPECT_LE(lines.size(), GetParam().height);
  for (const FrameLine& line : lines) EXPECT_LE(display_width(line.text), GetParam().width) << line.text;
}

INSTANTIATE_TEST_SUITE_P(Sizes, FrameFits,
                         testing::Values(SizeCase{"usual", 79, 23}, SizeCase{"tall", 79, 200},
                                         SizeCase{"flat", 79, 3}, SizeCase{"one_line", 79, 1},
                                         SizeCase{"narrow", 10, 23}, SizeCase{"one_column", 1, 5}),
                         [](const auto& row) { return row.param.name; });

TEST_F(Frame, OldestFinishedStepsMakeRoomFirst) {
  many_steps(10, 1);  // header, heading, 10, 1 and its 4 lines: 17
  const auto lines = texts(compose_frame(view, {.width = 79, .height = 15}, at(4)));
  EXPECT_THAT(lines, SizeIs(15));
  EXPECT_THAT(lines, Contains(" => 3 steps done"));
  EXPECT_THAT(lines, Not(Contains(StartsWith(" => RUN 2 "))));
  EXPECT_THAT(lines, Contains(StartsWith(" => RUN 3 ")));
  EXPECT_THAT(lines, Contains(" => => # 4"));
}

TEST_F(Frame, ThenLogLinesMakeRoom) {
  many_steps(2, 3);  // with both finished steps in one line: 1 + 1 + 1 + 3 + 12
  const auto lines = texts(compose_frame(view, {.width = 79, .height = 12}, at(4)));
  EXPECT_THAT(lines, SizeIs(12));
  EXPECT_THAT(lines, Contains(" => 2 steps done"));
  EXPECT_THAT(lines, Contains(" => => # 4").Times(3));
  EXPECT_THAT(lines, Not(Contains(" => => # 2")));
}

TEST_F(Frame, WhatDoesNotFitIsCounted) {
  many_steps(0, 12);
  const auto lines = texts(compose_frame(view, {.width = 79, .height = 5}, at(4)));
  EXPECT_EQ(lines.back(), " … 9 more lines");
}

TEST_F(Frame, FailedStepsStayVisible) {
  many_steps(20, 1);
  send(2, StepPlanned{"bad", "RUN false", "linux/amd64", {}});
  send(3, StepFinished{"bad", StepEnd::Failed, "exit code 1"});
  const auto lines = texts(compose_frame(view, {.width = 79, .height = 9}, at(4)));
  EXPECT_THAT(lines, Contains(StartsWith(" => ERROR RUN false")));
}

TEST_F(Frame, TransferHasABarOnlyIfItsSizeIsKnown) {
  send(0, StepStarted{"a"});
  send(0, BytesMoved{"a", "known", 5'000'000, 10'000'000, false});
  send(0, BytesMoved{"a", "unknown", 5'000'000, 0, false});
  send(0, BytesMoved{"a", "over", 30, 20, false});
  send(0, BytesMoved{"a", "done", 10, 10, true});
  const auto lines = texts(compose_frame(view, {.width = 60}, at(1)));
  EXPECT_THAT(lines, Contains(" => => known           [==========>         ] 5.0MB / 10.0MB"));
  EXPECT_THAT(lines, Contains(" => => unknown                                         5.0MB"));
  EXPECT_THAT(lines, Contains(HasSubstr("[====================] 30B / 20B")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("done"))));
}

TEST_F(Frame, LongNamesAreCutNotWrapped) {
  send(0, StepPlanned{"a", "RUN 日本語日本語日本語日本語日本語日本語日本語", "", {}});
  send(0, StepStarted{"a"});
  const auto lines = texts(compose_frame(view, {.width = 40}, at(1)));
  EXPECT_EQ(lines.at(1), " => RUN 日本語日本語日本語日本語日… 1.0s");
}

}  // namespace
}  // namespace slipway
