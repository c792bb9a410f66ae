#include "runtime/crun_log.h"

namespace slipway {
namespace {

TEST(CrunLog, OnlyErrorsCount) {
  const char* log =
      "{\"msg\":\"careful\",\"level\":\"warning\"}\nnot "
      "json\n{\"msg\":\"a\",\"level\":\"error\"}\n{\"msg\":\"b\",\"level\":\"error\"}\n";
  EXPECT_EQ(crun_errors(log), "a; b");
  EXPECT_EQ(crun_errors("{\"msg\":\"careful\",\"level\":\"warning\"}\n"), std::nullopt);
  EXPECT_EQ(crun_errors(""), std::nullopt);
}

struct StartCase {
  const char* name;
  const char* error;
  int exit_code;
  const char* message;
};
class StartFailures : public testing::TestWithParam<StartCase> {};

TEST_P(StartFailures, ReadAsAShellSaysThem) {
  const auto failure = start_failure(GetParam().error, "/bin/sh");
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->exit_code, GetParam().exit_code);
  EXPECT_EQ(failure->message, GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Messages, StartFailures,
    testing::Values(
        StartCase{"absent", "executable file `/bin/sh` not found in $PATH: No such file or directory", 127,
                  "\"/bin/sh\" not found in the image"},
        StartCase{"forbidden", "open executable: Permission denied", 126,
                  "\"/bin/sh\": no permission to execute it"},
        StartCase{"wrong_format", "exec container process `/bin/sh`: Exec format error", 126,
                  "\"/bin/sh\" is not a program for this step's platform, nor a script with a #! line"},
        StartCase{"no_loader",
                  "exec container process (missing dynamic library?) `/bin/sh`: No such file or directory",
                  127, "\"/bin/sh\": its interpreter or dynamic loader is not in the image"}),
    [](const auto& row) { return row.param.name; });

TEST(StartFailures, BusyProgramIsTold) {
  EXPECT_TRUE(says_program_busy("exec container process `/bin/sh`: Text file busy"));
  EXPECT_FALSE(says_program_busy("exec container process `/bin/sh`: Exec format error"));
}
TEST(StartFailures, RefusedProcIsTold) {
  EXPECT_TRUE(says_proc_refused("mount `proc` to `proc`: Operation not permitted"));
  EXPECT_FALSE(says_proc_refused("mount `sysfs` to `sys`: Operation not permitted"));
}
TEST(StartFailures, OthersAreCrunsOwn) {
  EXPECT_FALSE(start_failure("mount `proc` to `/proc`: Operation not permitted", "/bin/sh"));
}

TEST(CrunLog, OnlyTheWholeDirectoryIsTheWorkingDirectory) {
  EXPECT_TRUE(refuses_directory("unable to start container process: mkdir /proc/x: no such file", "/proc/x"));
  EXPECT_FALSE(
      refuses_directory("unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: denied", "/"));
  EXPECT_FALSE(refuses_directory("mkdir /proc/xyz: no such file", "/proc/x"));
}

class StepOutputs : public testing::Test {
 protected:
  StepOutput::Sink sink_ = [this](int stream, std::string_view bytes) {
    passed_ += std::to_string(stream) + std::string(bytes);
  };
  std::string passed_;
  StepOutput output_{sink_};
};
constexpr const char* kExecError =
    "{\"msg\":\"exec container process `/x`: Exec format error\",\"level\":\"error\"}\n";

TEST_F(StepOutputs, OrdinaryOutputIsPassedAtOnce) {
  output_.add(2, "{\"msg\":");
  EXPECT_EQ(passed_, "");
  output_.add(2, "\"mine\"}");
  EXPECT_EQ(passed_, "2{\"msg\":\"mine\"}");
  output_.add(1, "out");
  EXPECT_EQ(passed_, "2{\"msg\":\"mine\"}1out");
  EXPECT_EQ(output_.finish(), std::nullopt);
}
TEST_F(StepOutputs, CrunsOwnLineIsKeptBack) {
  output_.add(2, std::string(kExecError).substr(0, 20));
  output_.add(2, std::string(kExecError).substr(20));
  EXPECT_EQ(output_.finish(), "exec container process `/x`: Exec format error");
  EXPECT_EQ(passed_, "");
}
TEST_F(StepOutputs, SameLineAfterOtherOutputIsTheSteps) {
  output_.add(1, "out");
  output_.add(2, kExecError);
  EXPECT_EQ(output_.finish(), std::nullopt);
  EXPECT_EQ(passed_, std::string("1out2") + kExecError);
}
TEST_F(StepOutputs, UnfinishedLineGoesOutAtTheEnd) {
  output_.add(2, "{\"ms");
  EXPECT_EQ(output_.finish(), std::nullopt);
  EXPECT_EQ(passed_, "2{\"ms");
}

}  // namespace
}  // namespace slipway
