// slipway-exec as the kernel runs it: grafted onto the emulators of this machine, registered in a binfmt_misc
// of its own user namespace, for busyboxes of other machines in a root that is changed into.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "accel/graft.h"
#include "accel/programs.h"
#include "accel/twin_table.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "loader_cache_file.h"
#include "qemu/binfmt.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

fs::path cache() {
  const char* set = std::getenv("SLIPWAY_TEST_CACHE");
  return set ? set : "/var/cache/slipway-test";
}

class AcceleratedExec : public testing::Test {
 protected:
  void SetUp() override {
    if (slipway_exec_program().empty()) GTEST_SKIP() << "there is none for this machine";
    if (const std::string missing = become("arm64", "aarch64"); !missing.empty()) GTEST_SKIP() << missing;
  }

  /// Makes root/ one of `architecture`, and registers its emulator. What is missing for that.
  std::string become(const std::string& architecture, const std::string& machine) {
    const fs::path busybox = cache() / (architecture + "/busybox");
    const fs::path plain = concat("/usr/bin/qemu-", machine, "-static");
    for (const fs::path& file : {busybox, plain, host_busybox()})
      if (!fs::exists(file)) return concat("no ", file.native());
    const std::map<std::string, std::string> platforms = {{"armhf", "arm"}, {"ppc64el", "ppc64le"}};
    const auto named = platforms.find(architecture);
    const std::string platform = named == platforms.end() ? architecture : named->second;
    target_ = elf_target(Platform::parse(concat("linux/", platform)));
    if (!target_ ||
        run_process({.argv = {"unshare", "-Urm", "mount", "-t", "binfmt_misc", "none", dir("binfmt")}})
            .exit_code)
      return "no binfmt_misc in user namespaces";
    emulator_ =
        grafted_emulator(plain, work_.path() / "cache", {.cheap_pointer_codes = machine == "aarch64"});
    root_.machine = machine;
    put(busybox, "bin/busybox");
    for (const char* name : {"sh", "cat", "uname", "ls", "true", "seq", "md5sum", "chroot", "wc"}) {
      fs::remove(root() / "bin" / name);
      fs::create_symlink("busybox", root() / "bin" / name);
    }
    for (const char* name : {"proc", "dev", "tmp"}) dir(concat("root/", name));
    return {};
  }
  static fs::path host_busybox() {
    return cache() / (Platform::host().architecture() == "amd64" ? "amd64/busybox" : "arm64/busybox");
  }
  std::string dir(const std::string& name) const {
    fs::create_directories(work_.path() / name);
    return work_.path() / name;
  }
  fs::path root() const { return work_.path() / "root"; }
  void put(const fs::path& file, const std::string& name) const {
    fs::create_directories((root() / name).parent_path());
    fs::copy_file(file, root() / name, fs::copy_options::overwrite_existing);
  }
  FileIdentity identity(const std::string& name) const {
    struct stat status {};
    EXPECT_EQ(::stat((root() / name).c_str(), &status), 0);
    return FileIdentity::of(status);
  }

  /// The host's busybox stands in for the root's.
  void add_busybox_twin() {
    fs::create_directories(work_.path() / "tree/bin");
    fs::copy_file(host_busybox(), work_.path() / "tree/bin/busybox", fs::copy_options::overwrite_existing);
    root_.trees = {work_.path() / "tree"};
    root_.twins.push_back({.target = "/bin/busybox",
                           .identity = identity("bin/busybox"),
                           .program = "/bin/busybox",
                           .declined_names = {"uname", "arch"},
                           .multi_call = "busybox"});
  }
  /// This machine's own programs, in a copied tree with its loader.
  void add_dynamic_twins(const std::vector<std::string>& names, const std::string& machine) {
    const fs::path loader = Platform::host().architecture() == "amd64" ? "/lib64/ld-linux-x86-64.so.2"
                                                                       : "/lib/ld-linux-aarch64.so.1";
    const fs::path real = fs::canonical(loader);
    fs::create_directories(work_.path() / "tree/lib");
    fs::copy_file(real, work_.path() / "tree/lib/loader.so");
    fs::copy_file(real.parent_path() / "libc.so.6", work_.path() / "tree/lib/libc.so.6");
    root_.trees = {work_.path() / "tree"};
    root_.machine = machine;
    for (const std::string& name : names) {
      fs::copy_file(fs::path("/usr/bin") / name, work_.path() / "tree" / name);
      fs::remove(root() / "bin" / name);
      put(cache() / "arm64/busybox", concat("bin/", name));
      root_.twins.push_back({.target = concat("/bin/", name),
                             .identity = identity(concat("bin/", name)),
                             .program = concat("/", name),
                             .loader = "/lib/loader.so",
                             .library_path = {"/lib"}});
    }
  }
  void prepare() {
    const TwinMounts made = prepare_twin_directory(root_, work_.path() / "twins", {"sh", "cat", "ls"});
    EXPECT_THAT(made.left_out, testing::IsEmpty());
    for (const auto& mount : made.mounts) {
      const fs::path target = root() / mount.target.substr(1);
      if (mount.target == "/dev/.slipway") fs::create_directories(target);
      mounts_ += concat("mount --bind ", mount.source.native(), " ", target.native(), "\n");
      if (!mount.writable) mounts_ += concat("mount -o remount,bind,ro ", target.native(), "\n");
    }
  }
  void prepare_busybox() {
    add_busybox_twin();
    prepare();
  }

  /// In namespaces of its own, inside the root. `setup` is a shell's.
  ProcessResult run(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
                    const std::string& setup = "") const {
    const std::string script =
        concat("set -e\nmount -t binfmt_misc none ", dir("binfmt"), "\nprintf %s \"$1\" > ", dir("binfmt"),
               "/register\nmount --rbind /proc ", root().native(), "/proc\nmkdir -p ", root().native(),
               "/dev\n", mounts_, "cd ", root().native(), "\nshift\n", setup, "\nexec env -i \"$@\"\n");
    std::vector<std::string> all = {"unshare", "-Urm", "--propagation",
                                    "private", "sh",   "-c",
                                    script,    "sh",   registration_line("test", *target_, emulator_, "PFC")};
    all.insert(all.end(), environment.begin(), environment.end());
    all.insert(all.end(), {find_program("chroot").value(), "."});
    all.insert(all.end(), argv.begin(), argv.end());
    return run_process({.argv = all});
  }
  ProcessResult shell(const std::string& script, const std::vector<std::string>& environment = {}) const {
    return run({"/bin/sh", "-c", script}, environment);
  }
  std::vector<std::uint64_t> counts() const { return read_twin_counts(work_.path() / "twins", root_); }

  TempDir work_;
  std::optional<ElfTarget> target_;
  fs::path emulator_;
  AcceleratedRoot root_;
  std::string mounts_;
};

TEST_F(AcceleratedExec, WithoutATableItIsTheEmulator) {
  const ProcessResult result = shell("uname -m; echo \"$A\"; echo err >&2; exit 7", {"A=b c"});
  EXPECT_EQ(result.out, "aarch64\nb c\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(shell("kill -SEGV $$").signal, SIGSEGV);
  EXPECT_EQ(shell("kill -TERM $$").signal, SIGTERM);
  EXPECT_EQ(run({"/bin/busybox", "sh", "-c", "echo $0"}).out, "sh\n");
  EXPECT_EQ(shell("exec -a 'other name' /bin/busybox 2>&1 | wc -l").out,
            shell("busybox nosuch 2>&1 | wc -l").out);
}

TEST_F(AcceleratedExec, WhatTheEmulatorIsToldShowsNowhereAndGivesWayToTheEnvironment) {
  EXPECT_EQ(run({"/bin/cat", "/proc/self/cmdline"}).out, std::string("/bin/cat\0/proc/self/cmdline\0", 28));
  EXPECT_EQ(run({"/bin/true"}).exit_code, 0);
  EXPECT_NE(run({"/bin/true"}, {"QEMU_CPU=no such model"}).exit_code, 0);
}

TEST_F(AcceleratedExec, TwinRunsInsteadOfTheProgram) {
  prepare_busybox();
  const ProcessResult result = shell("/bin/ls /proc/self/exe -l | grep -o '[^ ]*$'; exit 3");
  EXPECT_EQ(result.out, "/dev/.slipway/tree/0/bin/busybox\n") << result.err;
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_GE(counts()[0], 2u);
  EXPECT_EQ(shell("kill -SEGV $$").signal, SIGSEGV);
}

TEST_F(AcceleratedExec, TwinGetsItsNameArgumentsAndEnvironment) {
  prepare_busybox();
  EXPECT_EQ(run({"/bin/sh", "-c", "echo $0 \"$1\"", "x", "a b"}).out, "x a b\n");
  EXPECT_EQ(run({"/bin/cat", "/proc/self/comm"}).out, "cat\n");
  EXPECT_EQ(run({"/bin/cat", "/proc/self/environ"}, {"A=b", "C=d"}).out, std::string("A=b\0C=d\0", 8));
  EXPECT_THAT(counts(), ElementsAre(3));
}

TEST_F(AcceleratedExec, FileThatTheKernelOpenedStaysWithTheEmulatorOnly) {
  prepare_busybox();
  EXPECT_EQ(shell("ls -l /proc/self/fd | grep -c busybox").out, "0\n");
}

TEST_F(AcceleratedExec, NamesThatAreDeclinedAreTheEmulators) {
  prepare_busybox();
  EXPECT_EQ(run({"/bin/uname", "-m"}).out, "aarch64\n");
  EXPECT_EQ(run({"/bin/busybox", "uname", "-m"}).out, "aarch64\n");
  EXPECT_THAT(counts(), ElementsAre(0));
  EXPECT_EQ(shell("/bin/uname -m").out, "aarch64\n");
  EXPECT_THAT(counts(), ElementsAre(1));
}

TEST_F(AcceleratedExec, DoubtsAreTheEmulators) {
  prepare_busybox();
  for (const char* entry : {"LD_PRELOAD=/nosuch.so", "QEMU_STRACE_=1", "LC_ALL=de_DE.ISO-8859-1"})
    EXPECT_EQ(run({"/bin/cat", "/proc/self/comm"}, {entry}).out, "cat\n") << entry;
  EXPECT_THAT(counts(), ElementsAre(0));
  run({"/bin/true"}, {"LANG=C.UTF-8"});
  EXPECT_THAT(counts(), ElementsAre(1));
}

TEST_F(AcceleratedExec, ProgramThatChangedIsTheEmulators) {
  prepare_busybox();
  fs::permissions(root() / "bin/busybox", fs::perms(0711));
  EXPECT_EQ(shell("echo still; uname -m").out, "still\naarch64\n");
  EXPECT_THAT(counts(), ElementsAre(0));
}

TEST_F(AcceleratedExec, WhatGuardsATwinHasToBeAsItWas) {
  add_busybox_twin();
  write_file_atomic(dir("root/lib") + "/libx.so.1", "a library");
  write_file_atomic(dir("root/lib") + "/libother.so.1", "another");
  dir("root/etc");
  root_.guards = {{.path = "/lib/libx.so.1", .identity = identity("lib/libx.so.1"), .library = "libx.so.1"},
                  {.path = "/usr/local/lib/libx.so.1", .identity = {}, .library = {}}};
  root_.loader_cache = Guard{.path = "/etc/ld.so.cache", .identity = {}, .library = {}};
  root_.twins[0].guards = {0, 1};
  prepare();
  const auto runs_twin = [&](const std::string& setup = "") {
    const std::uint64_t before = counts()[0];
    EXPECT_EQ(run({"/bin/true"}, {}, setup).exit_code, 0);
    return counts()[0] > before;
  };
  EXPECT_TRUE(runs_twin());
  // Something else by a file system over it, with the same path.
  EXPECT_FALSE(runs_twin("mount --bind lib/libother.so.1 lib/libx.so.1"));
  fs::create_directories(root() / "usr/local/lib");
  EXPECT_TRUE(runs_twin());
  write_file_atomic(root() / "usr/local/lib/libx.so.1", "comes first");
  EXPECT_FALSE(runs_twin());
  fs::remove(root() / "usr/local/lib/libx.so.1");
  write_file_atomic(root() / "etc/ld.so.cache",
                    loader_cache({{"libother.so.1", "/lib/libother.so.1"}, {"libx.so.1", "/lib/libx.so.1"}}));
  EXPECT_TRUE(runs_twin());
  write_file_atomic(root() / "etc/ld.so.cache",
                    loader_cache({{"libx.so.1", "/lib/libother.so.1"}, {"libx.so.1", "/lib/libx.so.1"}}));
  EXPECT_FALSE(runs_twin());
  write_file_atomic(root() / "etc/ld.so.cache", "of another format");
  EXPECT_FALSE(runs_twin());
  fs::remove(root() / "etc/ld.so.cache");
  EXPECT_TRUE(runs_twin());
  fs::remove(root() / "lib/libx.so.1");
  EXPECT_FALSE(runs_twin());
}

TEST_F(AcceleratedExec, DirectoryThatGuardsATwinHasToHaveTheSameEntries) {
  add_busybox_twin();
  write_file_atomic(dir("root/plugins") + "/a.so", "a plugin");
  root_.guards = {{.path = "/plugins", .identity = identity("plugins"), .library = {}},
                  {.path = "/more", .identity = {}, .library = {}}};
  root_.twins[0].guards = {0, 1};
  prepare();
  const auto runs_twin = [&] {
    const std::uint64_t before = counts()[0];
    EXPECT_EQ(run({"/bin/true"}).exit_code, 0);
    return counts()[0] > before;
  };
  EXPECT_TRUE(runs_twin());
  dir("root/more");
  EXPECT_FALSE(runs_twin());
  fs::remove(root() / "more");
  write_file_atomic(root() / "plugins/a.so", "written in place of the other");
  EXPECT_FALSE(runs_twin());
}

TEST_F(AcceleratedExec, TableThatIsDamagedIsNone) {
  prepare_busybox();
  const std::string table = read_file(work_.path() / "twins/table");
  for (const std::string& bad :
       {std::string(), table.substr(0, table.size() - 1), std::string(table.size(), '\xff'),
        table.substr(0, 40) + std::string(table.size() - 40, '\xff')}) {
    write_file_atomic(work_.path() / "twins/table", bad);
    EXPECT_EQ(shell("echo fine").out, "fine\n");
  }
  fs::remove(work_.path() / "twins/table");
  fs::create_directory(work_.path() / "twins/table");
  EXPECT_EQ(shell("echo fine").out, "fine\n");
  EXPECT_THAT(counts(), ElementsAre(0));
}

TEST_F(AcceleratedExec, TwinThatCannotBeExecutedLeavesTheEmulatorWhatItNeeds) {
  prepare_busybox();
  fs::permissions(work_.path() / "tree/bin/busybox", fs::perms(0644));
  EXPECT_EQ(shell("uname -m; /bin/busybox sh -c 'echo $0'").out, "aarch64\nsh\n");
  EXPECT_THAT(counts(), ElementsAre(0));
  fs::remove(work_.path() / "tree/bin/busybox");
  EXPECT_EQ(shell("uname -m").out, "aarch64\n");
}

TEST_F(AcceleratedExec, NobodyHasToCount) {
  prepare_busybox();
  EXPECT_EQ(run({"/bin/ls", "-l", "/proc/self/exe"}, {}, "umount ./dev/.slipway/counts").exit_code, 0);
  EXPECT_THAT(counts(), ElementsAre(0));
}

TEST_F(AcceleratedExec, ChrootInTheStepHasTheEmulatorOnly) {
  prepare_busybox();
  for (const char* name : {"inner/bin", "inner/proc"}) fs::create_directories(root() / name);
  fs::create_hard_link(root() / "bin/busybox", root() / "inner/bin/busybox");
  root_.twins[0].identity = identity("bin/busybox");
  fs::remove_all(work_.path() / "twins");
  mounts_.clear();
  prepare();
  const ProcessResult result = shell("/bin/chroot /inner /bin/busybox sh -c 'echo in; busybox uname -m'");
  EXPECT_EQ(result.out, "in\naarch64\n") << result.err;
  EXPECT_THAT(counts(), ElementsAre(2));  // the shell, and chroot
}

// A program of the host's libraries, in a copied tree, with a name of its own for the kernel.
TEST_F(AcceleratedExec, DynamicTwinRunsByItsLoaderAndSaysTheTargetsMachine) {
  add_dynamic_twins({"uname", "cat"}, "sparkle64");
  prepare();
  EXPECT_EQ(run({"/bin/uname", "-m"}).out, "sparkle64\n");
  EXPECT_EQ(run({"/bin/uname", "-s"}).out, "Linux\n");
  EXPECT_EQ(run({"/bin/cat", "/proc/self/comm"}).out, "cat\n");
  EXPECT_THAT(run({"/bin/uname", "--nosuch"}).err, HasSubstr("/bin/uname: unrecognized option"));
  EXPECT_THAT(counts(), ElementsAre(3, 1));
  fs::create_symlink("cat", root() / "bin/tac");
  EXPECT_EQ(run({"/bin/tac", "/proc/self/comm"}).out, "tac\n");
  const std::string command("/bin/cat\0/proc/self/cmdline\0", 28);
  EXPECT_EQ(run({"/bin/cat", "/proc/self/cmdline"}, {"A=b"}).out, command);
  EXPECT_EQ(run({"/bin/cat", "/proc/self/environ"}, {"A=b"}).out, std::string("A=b\0", 4));
  EXPECT_EQ(run({"/bin/cat", "/proc/self/cmdline"}).out, command);
  EXPECT_THAT(counts(), ElementsAre(3, 5));
  // Its loader would preload what is meant for the other machine.
  dir("root/etc");
  write_file_atomic(root() / "etc/ld.so.preload", "");
  EXPECT_EQ(run({"/bin/uname", "-m"}).out, "aarch64\n");
  EXPECT_THAT(counts(), ElementsAre(3, 5));
}

// amd64 traps where other machines have a number, also for the smallest number by -1.
TEST_F(AcceleratedExec, DynamicTwinDividesAsTheTarget) {
  add_dynamic_twins({"dash"}, "aarch64");
  prepare();
  const std::string script = "a=$((-9223372036854775807 - 1)); echo $((a / -1)) $((a % -1)) $((a / 3))";
  EXPECT_EQ(run({"/bin/dash", "-c", script}).out, "-9223372036854775808 0 -3074457345618258602\n");
  EXPECT_EQ(run({"/bin/dash", "-c", "kill -FPE $$"}).signal, SIGFPE);
  EXPECT_EQ(run({"/bin/dash", "-c", "trap 'echo told' FPE; kill -FPE $$"}).out, "told\n");
  EXPECT_THAT(counts(), ElementsAre(3));
}

TEST_F(AcceleratedExec, ArgumentsGoByTheTwinsRules) {
  using Kind = ArgumentRule::Kind;
  add_busybox_twin();
  root_.twins[0].rules = {{.kind = Kind::Append, .with = {"appended"}},
                          {.kind = Kind::Replace, .pattern = "r*", .with = {"one", "two"}},
                          {.kind = Kind::Decline, .pattern = "never"}};
  prepare();
  EXPECT_EQ(run({"/bin/busybox", "echo", "x", "r1"}).out, "x one two appended\n");
  EXPECT_EQ(run({"/bin/busybox", "echo", "never", "r1"}).out, "never r1\n");
}

TEST_F(AcceleratedExec, ArgumentsThatAreRequiredHaveToBeThere) {
  using Kind = ArgumentRule::Kind;
  add_busybox_twin();
  root_.twins[0].rules = {{.kind = Kind::Require, .pattern = "-[cS]"},
                          {.kind = Kind::Append, .with = {"appended"}},
                          {.kind = Kind::Require, .pattern = "x*"}};
  prepare();
  EXPECT_EQ(run({"/bin/busybox", "echo", "x", "-S"}).out, "x -S appended\n");
  EXPECT_EQ(run({"/bin/busybox", "echo", "x", "-cS"}).out, "x -cS\n");
  EXPECT_EQ(run({"/bin/busybox", "echo", "-c"}).out, "-c\n");
}

TEST_F(AcceleratedExec, TheFirstRuleThatAnArgumentMatchesIsItsOwn) {
  using Kind = ArgumentRule::Kind;
  add_busybox_twin();
  root_.twins[0].rules = {{.kind = Kind::Replace, .pattern = "/own/plugin", .with = {"replaced"}},
                          {.kind = Kind::Drop, .pattern = "dropped"},
                          {.kind = Kind::Decline, .pattern = "*[dp]*"},
                          {.kind = Kind::Append, .with = {"appended"}}};
  prepare();
  EXPECT_EQ(run({"/bin/busybox", "echo", "/own/plugin", "dropped"}).out, "replaced appended\n");
  EXPECT_EQ(run({"/bin/busybox", "echo", "/other/plugin"}).out, "/other/plugin\n");
}

TEST_F(AcceleratedExec, VariablesThatATwinDeclinesAreTheEmulators) {
  using Kind = ArgumentRule::Kind;
  add_busybox_twin();
  root_.twins[0].rules = {{.kind = Kind::DeclineVariable, .pattern = "MY_PATH=?*"},
                          {.kind = Kind::Append, .with = {"appended"}}};
  prepare();
  EXPECT_EQ(run({"/bin/busybox", "echo", "MY_PATH=x"}, {"MY_PATH=", "MY_PATHS=x"}).out, "MY_PATH=x appended\n");
  EXPECT_EQ(run({"/bin/busybox", "echo"}, {"A=b", "MY_PATH=x"}).out, "\n");
}

// Where execve(2) refuses the twin's arguments, which are longer, or does not: the output is the same.
TEST_F(AcceleratedExec, ArgumentsAndEnvironmentOfAnySizeAreHandedOn) {
  add_busybox_twin();
  // Two thirds of what there may be, twice.
  root_.twins[0].rules = {{.kind = ArgumentRule::Kind::Replace,
                           .pattern = "x*",
                           .with = {std::string(100'000, 'y'), std::string(100'000, 'y')}}};
  prepare();
  const std::string count = "echo $# ${#A}";
  std::vector<std::string> argv = {"/bin/sh", "-c", count, "sh"};
  for (int i = 0; i < 30'000; ++i) argv.push_back("a");
  const std::string environment = concat("A=", std::string(100'000, 'e'));
  EXPECT_EQ(run(argv, {environment}).out, "30000 100000\n");
  EXPECT_THAT(counts(), ElementsAre(1));
  argv.resize(4);
  for (int i = 0; i < 12; ++i) argv.push_back(std::string(100'000, 'x'));
  EXPECT_EQ(run(argv, {environment}).out, "12 100000\n");
  EXPECT_THAT(counts(), ElementsAre(1));
}

TEST_F(AcceleratedExec, AsManyBytesAsTheKernelTakesAreHandedOn) {
  std::vector<std::string> argv = {"/bin/sh", "-c", "echo $#", "sh"};
  constexpr std::size_t kLongest = 131'000;
  std::size_t left = static_cast<std::size_t>(::sysconf(_SC_ARG_MAX)) - 20'000;
  for (; left > kLongest; left -= kLongest) argv.push_back(std::string(kLongest, 'a'));
  argv.push_back(std::string(left, 'a'));
  const std::string expected = concat(argv.size() - 4, "\n");
  EXPECT_EQ(run(argv).out, expected);
  prepare_busybox();
  EXPECT_EQ(run(argv).out, expected);
  EXPECT_THAT(counts(), ElementsAre(1));
}

struct Machine {
  const char *architecture, *machine;
};
class OtherMachines : public AcceleratedExec, public testing::WithParamInterface<Machine> {
 protected:
  void SetUp() override {
    if (slipway_exec_program().empty()) GTEST_SKIP() << "there is none for this machine";
    const std::string missing = become(GetParam().architecture, GetParam().machine);
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
};

TEST_P(OtherMachines, HaveTwinsToo) {
  EXPECT_EQ(shell("echo plain; exit 4").exit_code, 4);
  prepare_busybox();
  EXPECT_EQ(shell("/bin/ls -l /proc/self/exe | grep -o '[^ ]*$'").out, "/dev/.slipway/tree/0/bin/busybox\n");
  EXPECT_EQ(run({"/bin/uname", "-s"}).out, "Linux\n");
  EXPECT_GE(counts()[0], 2u);
}

INSTANTIATE_TEST_SUITE_P(All, OtherMachines,
                         testing::Values(Machine{"armhf", "arm"}, Machine{"riscv64", "riscv64"},
                                         Machine{"s390x", "s390x"}, Machine{"ppc64el", "ppc64le"}),
                         [](const auto& param) { return std::string(param.param.machine); });

}  // namespace
}  // namespace slipway
