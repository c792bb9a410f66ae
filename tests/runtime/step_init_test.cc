// The init of emulated steps, here as an ordinary process with programs of this machine.
#include "runtime/step_init.h"

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "programs_with_loaders.h"
#include "runtime/crun_log.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class StepInit : public testing::Test {
 protected:
  void SetUp() override {
    if (step_init_program().empty()) GTEST_SKIP() << "there is none for this machine";
    write_file_atomic(init_, step_init_program(), Durability::None, 0755);
    fs::permissions(init_, fs::perms(0755));
  }
  ProcessResult run(std::vector<std::string> args, const std::string& path = "/usr/bin:/bin") {
    args.insert(args.begin(), {init_.native(), "--"});
    return run_process({.argv = std::move(args), .environment = {{"A=b", "PATH=" + path}}});
  }
  ProcessResult shell(const std::string& script) { return run({"/bin/sh", "-c", script}); }
  /// A script that says its name.
  fs::path put(const fs::path& name, int mode = 0755, const std::string& text = "#!/bin/sh\necho $0\n") {
    const fs::path file = work_.path() / name;
    fs::create_directories(file.parent_path());
    write_file_atomic(file, text, Durability::None, 0755);
    fs::permissions(file, fs::perms(mode));
    return file;
  }
  std::string at(const char* name) const { return (work_.path() / name).native(); }

  TempDir work_;
  fs::path init_ = work_.path() / "init";
};

TEST_F(StepInit, EveryExitCodeIsTheProgramsOwn) {
  for (int code = 0; code < 256; ++code) ASSERT_EQ(shell(concat("exit ", code)).exit_code, code);
}
TEST_F(StepInit, EverySignalThatKillsIsAdded) {
  for (const int signal : {1, 2, 3, 4, 6, 7, 8, 9, 11, 13, 14, 15, 24, 31, 34, 64}) {
    const ProcessResult result = shell(concat("ulimit -c 0; kill -", signal, " $$"));
    EXPECT_EQ(result.signal, 0) << signal;
    EXPECT_EQ(result.exit_code, 128 + signal);
  }
}
TEST_F(StepInit, ArgumentsAndEnvironmentAreHandedOn) {
  EXPECT_EQ(run({"/bin/sh", "-c", "echo $0 $1 $A", "x", "--"}).out, "x -- b\n");
}
TEST_F(StepInit, ProgramLeadsASessionAndAGroup) {
  EXPECT_EQ(shell("read -r pid name state parent group session rest < /proc/$$/stat; "
                  "test $pid = $group && test $pid = $session")
                .exit_code,
            0);
}
TEST_F(StepInit, ProgramIsFoundByThePath) {
  put("second/tool");
  EXPECT_EQ(run({"tool"}, concat(at("first"), ":", at("second"))).out, at("second") + "/tool\n");
}
TEST_F(StepInit, WhatMayNotBeExecutedIsPassedOver) {
  put("first/tool", 0644);
  fs::create_directories(work_.path() / "second/tool");
  put("third/tool");
  EXPECT_EQ(run({"tool"}, concat(at("first"), ":", at("second"), ":", at("third"))).out,
            at("third") + "/tool\n");
}
TEST_F(StepInit, PathThatIsTooLongIsPassedOver) {
  put("tool");
  EXPECT_EQ(run({"tool"}, concat(std::string(5000, 'x'), ":", at(""))).exit_code, 0);
}

std::string said(const ProcessResult& result) { return crun_errors(result.err).value_or(result.err); }

TEST_F(StepInit, ProgramThatIsNotThere) {
  for (const auto& name : {at("nosuch"), std::string("nosuch"), at("init") + "/below"}) {
    const ProcessResult result = run({name}, at("") + ":/nosuch");
    EXPECT_EQ(result.exit_code, 127) << name;
    EXPECT_EQ(start_failure(said(result), name)->message, concat("\"", name, "\" not found in the image"));
  }
  EXPECT_EQ(run({"nosuch"}, "").exit_code, 127);
}
TEST_F(StepInit, ProgramThatMayNotBeExecuted) {
  put("tool", 0644);
  const ProcessResult result = run({"tool"}, at("") + ":/nosuch");
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(said(result), "exec container process: Permission denied");
}
TEST_F(StepInit, DirectoryIsNoProgram) {
  const ProcessResult result = run({work_.path()});
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(said(result), "exec container process: Is a directory");
}
TEST_F(StepInit, FileThatIsNoProgram) {
  const ProcessResult result = run({put("junk", 0755, "junk")});
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(said(result), "exec container process: Exec format error");
}
TEST_F(StepInit, ProgramWhoseInterpreterIsMissing) {
  const ProcessResult result = run({put("tool", 0755, "#!/no/such/shell\n")});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_EQ(said(result), "exec container process (missing dynamic library?): No such file or directory");
}
// As those that the kernel starts an emulator for: it looks for no loader then. No machine runs these.
struct Foreign {
  const char* name;
  bool is_64bit, is_little_endian;
};
class StepInitForeign : public StepInit, public testing::WithParamInterface<Foreign> {
 protected:
  fs::path put_program(const char* loader, int mode = 0755) {
    const ElfTarget nobody{
        .is_64bit = GetParam().is_64bit, .is_little_endian = GetParam().is_little_endian, .machine = 0xfeed};
    return put("tool", mode, program_with_loader(nobody, loader));
  }
};
TEST_P(StepInitForeign, ProgramWhoseLoaderIsMissing) {
  const ProcessResult result = run({put_program("/no/such/loader")});
  EXPECT_EQ(result.exit_code, 127);
  EXPECT_EQ(said(result), "exec container process (missing dynamic library?): No such file or directory");
  const fs::path script = put("script", 0755, concat("#! ", at("tool"), " x\n"));
  EXPECT_EQ(run({script}).exit_code, 127) << "nor by a script";
}
TEST_P(StepInitForeign, ProgramWhoseLoaderIsThereIsTheKernelsToStart) {
  const ProcessResult result = run({put_program("/bin/sh")});
  EXPECT_EQ(result.exit_code, 126);
  EXPECT_EQ(said(result), "exec container process: Exec format error");
}
TEST_P(StepInitForeign, ProgramThatMayNotBeExecutedIsNotLookedInto) {
  const ProcessResult result = run({put_program("/no/such/loader", 0644)});
  EXPECT_EQ(said(result), "exec container process: Permission denied");
}
TEST_P(StepInitForeign, DamagedProgramIsTheKernelsToRefuse) {
  const std::string whole = read_file(put_program("/no/such/loader"));
  for (std::size_t size = 4; size < whole.size(); ++size)
    ASSERT_EQ(run({put("tool", 0755, whole.substr(0, size))}).exit_code, 126) << size;
}
INSTANTIATE_TEST_SUITE_P(Machines, StepInitForeign,
                         testing::Values(Foreign{"Little64", true, true}, Foreign{"Big64", true, false},
                                         Foreign{"Little32", false, true}, Foreign{"Big32", false, false}),
                         [](const auto& row) { return row.param.name; });
TEST_F(StepInit, ProgramThatIsOpenForWritingIsBusy) {
  const fs::path program = work_.path() / "true";
  fs::copy_file("/bin/true", program);
  const UniqueFd writer{::open(program.c_str(), O_WRONLY | O_CLOEXEC)};
  const ProcessResult result = run({program});
  if (result.ok()) GTEST_SKIP() << "this kernel executes what is open for writing";
  EXPECT_TRUE(says_program_busy(said(result))) << result.err;
}

}  // namespace
}  // namespace slipway
