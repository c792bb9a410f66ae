// Here-documents of RUN, COPY and ADD.
#include <gmock/gmock.h>

#include "dockerfile/lowering.h"

namespace slipway::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ExecOp run_of(std::string_view text) { return ops_of<ExecOp>(lower_text(text)).back(); }

/// The file that the document of a COPY becomes.
MkfileAction file_of(std::string_view text) {
  return std::get<MkfileAction>(ops_of<FileOp>(lower_text(text)).front().actions.at(0));
}

TEST(LowerHeredocs, AScriptRunsUnderTheShell) {
  EXPECT_THAT(run_of("FROM alpine\nRUN <<EOF\necho $A\necho b\nEOF\n").args,
              ElementsAre("/bin/sh", "-c", "echo $A\necho b\n"));
  EXPECT_THAT(run_of("FROM alpine\nSHELL [\"bash\", \"-c\"]\nRUN 3<<-'E'\n\techo\nE\n").args,
              ElementsAre("bash", "-c", "echo\n"));
}

TEST(LowerHeredocs, AScriptWithAnInterpreterIsAFile) {
  const auto lowered = lower_text("FROM alpine\nRUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF\n");
  const ExecOp run = ops_of<ExecOp>(lowered).back();
  EXPECT_THAT(run.args, ElementsAre("/bin/sh", "-c", "/dev/pipes/EOF"));
  ASSERT_EQ(run.mounts.size(), 2U);
  EXPECT_EQ(run.mounts[1].dest, "/dev/pipes");
  EXPECT_TRUE(run.mounts[1].readonly);
  EXPECT_EQ(run.mounts[1].output, kNoOutput);
  const Vertex& document = lowered.graph.at(
      lowered.graph.vertices().back().op.inputs.at(static_cast<std::size_t>(run.mounts[1].input)).vertex);
  EXPECT_EQ(document.info.name, "[internal] preparing inline document");
  const auto& file = std::get<MkfileAction>(std::get<FileOp>(document.op.what).actions.at(0));
  EXPECT_EQ(file.path, "/EOF");
  EXPECT_EQ(file.mode, 0755U);
  EXPECT_EQ(file.data, "#!/usr/bin/env python3\nprint(1)\n");
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "RUN /bin/sh -c /dev/pipes/EOF # slipway");
}

TEST(LowerHeredocs, OthersAreForTheShell) {
  EXPECT_THAT(run_of("FROM alpine\nRUN python3 <<EOF > /x\nprint(1)\nEOF\n").args,
              ElementsAre("/bin/sh", "-c", "python3 <<EOF > /x\nprint(1)\nEOF"));
  EXPECT_THAT(run_of("FROM alpine\nRUN <<A cat && cat <<\"B\"\na\nA\nb\nB\n").args,
              ElementsAre("/bin/sh", "-c", "<<A cat && cat <<\"B\"\na\nA\nb\nB"));
}

TEST(LowerHeredocs, TheShellTakesTheTabsOffItself) {
  EXPECT_THAT(run_of("FROM alpine\nRUN cat <<-EOF\n\ta\n\t\tb\n\tEOF\n").args,
              ElementsAre("/bin/sh", "-c", "cat <<-EOF\n\ta\n\t\tb\nEOF"));
}

TEST(LowerHeredocs, StepsAreNamedByTheFirstLine) {
  EXPECT_EQ(names_of(lower_text("FROM alpine\nRUN <<EOF\n\n  make\n  make install\nEOF\n")).back(),
            "[2/2] RUN <<EOF (make...)");
  EXPECT_EQ(names_of(lower_text("FROM alpine\nRUN <<EOF\nmake\nEOF\n")).back(), "[2/2] RUN <<EOF (make)");
  EXPECT_EQ(names_of(lower_text("FROM alpine\nRUN cat <<EOF\nmake\nEOF\n")).back(), "[2/2] RUN cat <<EOF");
}

TEST(LowerHeredocs, CopyMakesAFileOfOne) {
  const auto lowered = lower_text("FROM alpine\nCOPY --chmod=600 <<EOF /etc/x\nbody\nEOF\n");
  const FileOp copy = ops_of<FileOp>(lowered).back();
  const auto& action = std::get<CopyAction>(copy.actions.at(0));
  EXPECT_EQ(action.src, "/EOF");
  EXPECT_EQ(action.dest, "/etc/x");
  EXPECT_EQ(action.mode, 0600U);
  EXPECT_FALSE(action.allow_wildcard);
  EXPECT_FALSE(action.copy_dir_contents);
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "COPY --chmod=600 <<EOF /etc/x # slipway");
  const MkfileAction file = file_of("FROM alpine\nCOPY <<EOF /etc/x\nbody\nEOF\n");
  EXPECT_EQ(file.mode, 0644U);
  EXPECT_EQ(file.data, "body\n");
}

TEST(LowerHeredocs, CopyComesAfterItsOtherSources) {
  const auto lowered = lower_text("FROM alpine\nCOPY <<a.txt b <<c.txt /d/\n1\na.txt\n2\nc.txt\n");
  const FileOp copy = ops_of<FileOp>(lowered).back();
  ASSERT_EQ(copy.actions.size(), 3U);
  EXPECT_EQ(std::get<CopyAction>(copy.actions[0]).src, "/b");
  EXPECT_EQ(std::get<CopyAction>(copy.actions[1]).src, "/a.txt");
  EXPECT_EQ(std::get<CopyAction>(copy.actions[2]).src, "/c.txt");
  EXPECT_EQ(std::get<CopyAction>(copy.actions[2]).base, 5) << "four inputs, then the second action";
  EXPECT_EQ(lowered.lanes[0].config.history.back().created_by, "COPY b <<a.txt <<c.txt /d/ # slipway");
}

TEST(LowerHeredocs, CopyPutsVariablesIntoItUnlessQuoted) {
  EXPECT_EQ(file_of("FROM alpine\nENV A=1\nCOPY <<EOF /x\nit's \"$A\" ${B:-2} \\$A\nEOF\n").data,
            "it's \"1\" 2 $A\n");
  EXPECT_EQ(file_of("FROM alpine\nENV A=1\nCOPY <<'EOF' /x\n\"$A\" \\$A\nEOF\n").data, "\"$A\" \\$A\n");
}

TEST(LowerHeredocs, ANameIsAFileName) {
  EXPECT_THAT(refusal_of("FROM alpine\nCOPY <<a/b /x\n1\na/b\n").what(), HasSubstr("may not have a \"/\""));
  EXPECT_THAT(refusal_of("FROM alpine\nCOPY <<.. /x\n1\n..\n").what(), HasSubstr("nor be"));
  EXPECT_THAT(refusal_of("FROM alpine\nRUN <<../x\n#!/bin/sh\n../x\n").what(),
              HasSubstr("file of that name"));
}

}  // namespace
}  // namespace slipway::testing
