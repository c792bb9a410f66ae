#include "slipway/progress_plain.h"

#include <thread>

#include "base/strings.h"
#include "tools/event_script.h"
#include "tools/golden.h"

namespace slipway {
namespace {

class Plain : public testing::Test {
 protected:
  template <class What>
  void send(double seconds, What what) {
    slipway::send(progress, seconds, std::move(what));
  }
  StringOutput output;
  PlainProgress progress{output};
};

TEST_F(Plain, WholeBuildReadsAsPeopleKnowIt) {
  play_whole_build([this](double seconds, auto what) { send(seconds, std::move(what)); });
  expect_golden(output.text, "plain_whole_build.txt");
}

TEST_F(Plain, StepsAreNumberedWhenTheyStart) {
  send(0, StepPlanned{"a", "first planned", "", {}});
  send(0, StepPlanned{"b", "second planned", "", {}});
  send(1, StepStarted{"b"});
  send(2, StepStarted{"a"});
  EXPECT_EQ(output.text, "#1 second planned\n\n#2 first planned\n");
}

TEST_F(Plain, LogLinesOfStreamsAreNotTornApart) {
  send(0, StepPlanned{"a", "a", "", {}});
  send(0, StepStarted{"a"});
  send(1, StepLog{"a", 1, "out "});
  send(2, StepLog{"a", 2, "err\n"});
  send(3, StepLog{"a", 1, "put\n"});
  EXPECT_EQ(output.text, "#1 a\n#1 2.000 err\n#1 3.000 out put\n");
}

TEST_F(Plain, LastLineWithoutEndIsShown) {
  send(0, StepStarted{"a"});
  send(1, StepLog{"a", 1, "no newline"});
  send(2, StepFinished{"a", StepEnd::Done, ""});
  EXPECT_EQ(output.text, "#1 a\n#1 2.000 no newline\n#1 DONE 2.0s\n");
}

TEST_F(Plain, AnAcceleratedStepSaysSo) {
  send(0, StepStarted{"a"});
  send(0, StepAccelerated{"a", 133});
  EXPECT_EQ(output.text, "#1 a\n#1 accelerated: 133 of its programs have native twins\n");
}

TEST_F(Plain, StepsThatNeverRanLeaveNoLine) {
  send(0, StepPlanned{"a", "a", "", {}});
  send(0, StepPlanned{"b", "b", "", {}});
  send(1, StepFinished{"a", StepEnd::Skipped, ""});
  send(1, StepFinished{"b", StepEnd::Cancelled, ""});
  EXPECT_EQ(output.text, "");
}

TEST_F(Plain, NamesAndErrorsCannotControlTheTerminal) {
  send(0, StepPlanned{"a", "RUN \x1b]0;owned\a\x1b[2Jecho", "", {}});
  send(0, StepStarted{"a"});
  send(1, StepFinished{"a", StepEnd::Failed, "\x1b[2Jbad\nworse\x1b[0m\n"});
  send(2, Warned{"\x1b[31mcareful"});
  EXPECT_EQ(output.text, "#1 RUN echo\n#1 ERROR: bad\n#1 worse\nWARNING: careful\n");
}

TEST_F(Plain, ChecksAreToldAtTheEndWithTheirLines) {
  send(0, Warned{.message = "not defined",
                 .rule = "UndefinedVar",
                 .where = SourceLocation{"Dockerfile", 3, 5, "ENV $A"}});
  send(0, Warned{"early"});
  send(1, StepStarted{"a"});
  send(2, StepFinished{"a", StepEnd::Done, ""});
  EXPECT_EQ(output.text, "WARNING: early\n\n#1 a\n#1 DONE 1.0s\n");
  output.text.clear();
  progress.flush();
  EXPECT_EQ(output.text,
            "\nWARNING: Dockerfile:3:5: UndefinedVar: not defined\n"
            "           3 | ENV $A\n"
            "             |     ^\n");
  progress.flush();
  EXPECT_EQ(std::ranges::count(output.text, '^'), 1);
}

TEST_F(Plain, FailureWithoutAMessageStillSaysSo) {
  send(0, StepFinished{"a", StepEnd::Failed, ""});
  EXPECT_EQ(output.text, "#1 a\n#1 ERROR: failed\n");
}

TEST_F(Plain, ClockThatGoesBackGivesZero) {
  send(5, StepStarted{"a"});
  send(4, StepLog{"a", 1, "x\n"});
  EXPECT_EQ(output.text, "#1 a\n#1 0.000 x\n");
}

TEST_F(Plain, LinesOfManyThreadsStayWhole) {
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([this, t] {
        const std::string id = concat("step", t);
        for (int i = 0; i < 200; ++i) send(1, StepLog{id, 1, "one line\n"});
      });
  }
  progress.flush();
  std::size_t lines = 0;
  for (const std::string& line : split(output.text, '\n')) lines += line.ends_with(" 0.000 one line");
  EXPECT_EQ(lines, 800u);
}

}  // namespace
}  // namespace slipway
