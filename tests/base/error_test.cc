#include "base/error.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/strings.h"

namespace slipway {
namespace {

TEST(Error, ContextsAreShownOutermostFirst) {
  NotFound error("no such manifest");
  error.add_context("pulling alpine");
  error.add_context("[build 1/2] FROM alpine");
  EXPECT_STREQ(error.what(), "[build 1/2] FROM alpine: pulling alpine: no such manifest");
  EXPECT_EQ(error.message(), "no such manifest");
}

TEST(Error, DescribeShowsPlaceLineAndCaret) {
  const InvalidInput error("unknown instruction \"RNU\"",
                           {.file = "Dockerfile", .line = 3, .column = 2, .line_text = "\tRNU make"});
  EXPECT_EQ(describe(error), "Dockerfile:3:2: unknown instruction \"RNU\"\n  3 | \tRNU make\n    | \t^");
}

TEST(Describe, LongLinesAreCutAroundTheColumn) {
  const std::string line = std::string(500, 'a') + "HERE" + std::string(500, 'b');
  const std::string shown = describe(InvalidInput("bad", {"Dockerfile", 1, 501, line}));
  EXPECT_EQ(shown, concat("Dockerfile:1:501: bad\n  1 | …", std::string(100, 'a'), "HERE",
                          std::string(96, 'b'), "…\n    | ", std::string(101, ' '), "^"));
}

TEST(Describe, TheCaretCountsCharactersAndControlCharactersAreHidden) {
  EXPECT_EQ(describe(InvalidInput("bad", {"Dockerfile", 1, 7, "äö\x1B[ x"})),
            "Dockerfile:1:7: bad\n  1 | äö?[ x\n    |     ^");
}

TEST(Error, DescribeEndsWithTheHint) {
  HostError error("crun is not installed");
  error.set_hint("apt-get install crun");
  EXPECT_EQ(describe(error), "crun is not installed\n  hint: apt-get install crun");
}

TEST(Error, DescribeShowsAFailedStepsLastLines) {
  BuildFailed error("exit code: 1");
  error.set_log_tail({"cc: error: no input files"});
  EXPECT_EQ(describe(error), "exit code: 1\n    | cc: error: no input files");
}

struct ExitCase {
  const char* name;
  std::shared_ptr<Error> error;
  int code;
};
class ExitCode : public testing::TestWithParam<ExitCase> {};
TEST_P(ExitCode, IsTheDocumentedOne) { EXPECT_EQ(exit_code_for(*GetParam().error), GetParam().code); }
INSTANTIATE_TEST_SUITE_P(
    Types, ExitCode,
    testing::Values(ExitCase{"usage", std::make_shared<UsageError>("x"), 2},
                    ExitCase{"invalid_input", std::make_shared<InvalidInput>("x"), 1},
                    ExitCase{"build_failed", std::make_shared<BuildFailed>("x"), 1},
                    ExitCase{"not_found", std::make_shared<NotFound>("x"), 1},
                    ExitCase{"denied", std::make_shared<Denied>("x"), 4},
                    ExitCase{"transport", std::make_shared<TransportError>("x", true, 503), 3},
                    ExitCase{"integrity", std::make_shared<IntegrityError>("x"), 3},
                    ExitCase{"host", std::make_shared<HostError>("x"), 3},
                    ExitCase{"system", std::make_shared<SystemError>(2, "open", "/x"), 3}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace slipway
