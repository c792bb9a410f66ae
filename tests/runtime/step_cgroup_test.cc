#include "runtime/step_cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using Controller = CgroupPlaces::Controller;

/// A directory that looks like a mounted cgroup file system.
class CgroupPlacesTest : public testing::Test {
 protected:
  void group(const std::string& path, const std::string& controllers, const std::string& processes,
             bool root = false) {
    fs::create_directories(dir_.path() / path);
    const auto file = [&](const char* name, const std::string& text) {
      write_file_atomic(dir_.path() / path / name, text);
    };
    file("cgroup.controllers", controllers);
    file("cgroup.subtree_control", "");
    file("cgroup.procs", processes);
    if (!root) file("cgroup.type", "domain\n");
  }
  std::string v2_mount(const std::string& root = "/") const {
    return concat("30 23 0:26 ", root, " ", dir_.path().native(), " rw,nosuid - cgroup2 cgroup2 rw\n");
  }
  CgroupPlaces::Place memory(const std::string& own, const std::string& mounts) const {
    return CgroupPlaces::find(own, mounts).place(Controller::Memory);
  }

  TempDir dir_;
};

TEST_F(CgroupPlacesTest, GroupsOfVersionTwoStandBesideOurs) {
  group("", "cpu memory pids\n", "", true);
  group("user.slice", "memory pids\n", "");
  group("user.slice/session.scope", "memory pids\n", "1\n");
  const CgroupPlaces places = CgroupPlaces::find("0::/user.slice/session.scope\n", v2_mount());
  EXPECT_EQ(places.place(Controller::Memory).directory, dir_.path() / "user.slice");
  EXPECT_TRUE(places.place(Controller::Memory).v2);
  EXPECT_THAT(places.place(Controller::Cpu).directory.native(), IsEmpty());
  EXPECT_THAT(places.place(Controller::Cpu).reason, HasSubstr("the cpu controller is not given to"));
}

TEST_F(CgroupPlacesTest, TheRootOfVersionTwoMayHoldBoth) {
  group("", "memory\n", "1\n2\n", true);
  EXPECT_EQ(memory("0::/\n", v2_mount()).directory, dir_.path());
}

TEST_F(CgroupPlacesTest, AContainersOwnGroupHoldsProcesses) {
  group("", "memory\n", "1\n");
  EXPECT_THAT(memory("0::/\n", v2_mount()).reason, HasSubstr("container"));
}

TEST_F(CgroupPlacesTest, AGroupOutsideOfWhatIsMountedIsNotGuessed) {
  group("", "memory\n", "");
  EXPECT_THAT(memory("0::/../other\n", v2_mount()).reason, HasSubstr("no cgroup file system"));
  EXPECT_THAT(memory("0::/elsewhere\n", v2_mount("/docker/abc")).reason, HasSubstr("no cgroup file system"));
}

TEST_F(CgroupPlacesTest, AHybridHostHasItsControllersInVersionOne) {
  fs::create_directories(dir_.path() / "memory/session");
  const std::string mounts =
      concat("32 31 0:29 / ", dir_.path().native(), "/memory rw - cgroup cgroup rw,memory\n", "41 31 0:38 / ",
             dir_.path().native(), "/unified rw - cgroup2 cgroup2 rw\n");
  const auto place = memory("4:memory:/session\n0::/\n", mounts);
  EXPECT_EQ(place.directory, dir_.path() / "memory/session");
  EXPECT_FALSE(place.v2);
}

TEST_F(CgroupPlacesTest, RefusalNamesTheFlagAndTheReason) {
  const CgroupPlaces none = CgroupPlaces::find("", "");
  EXPECT_EQ(none.refusal({.memory = 1, .cpus = 0, .pids = 0}),
            "not kept here: --memory (no cgroup file system has the memory controller)");
  EXPECT_EQ(none.refusal({.pids = 1, .pids_asked = true}),
            "not kept here: --pids-limit (no cgroup file system has the pids controller)");
  EXPECT_EQ(none.refusal({.pids = 1}), "") << "nobody asked for it";
}

/// This machine's real groups, where we may make some.
class RealCgroup : public testing::Test {
 protected:
  void SetUp() override {
    if (places_.place(Controller::Memory).directory.empty())
      GTEST_SKIP() << "skipped real cgroups: " << places_.place(Controller::Memory).reason;
  }
  /// Runs `work` in a child within the group; its wait status.
  template <class Work>
  static int in_group(const StepCgroup& group, Work work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(enter(group) ? work() : 100);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }
  static bool enter(const StepCgroup& group) {
    return std::ranges::all_of(group.directories(), [](const fs::path& directory) {
      return static_cast<bool>(std::ofstream(directory / "cgroup.procs") << "0" << std::flush);
    });
  }
  static bool is_there(const CgroupPlaces::Place& place, const std::string& name) {
    return fs::exists(place.directory / name);
  }

  CgroupPlaces places_ = CgroupPlaces::find();
  std::string name_ = concat("slipway-test-", ::getpid());
};

int use_memory(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  volatile char* memory = static_cast<char*>(std::malloc(bytes));
  if (memory == nullptr) return 1;
  for (std::size_t at = 0; at < bytes; at += kPage) memory[at] = 1;
  return 0;
}

TEST_F(RealCgroup, WantOfMemoryIsTold) {
  const StepCgroup group(places_, {.memory = std::uint64_t{32} << 20, .cpus = 0, .pids = 0}, name_);
  const int status = in_group(group, [] { return use_memory(std::size_t{256} << 20); });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_TRUE(group.ran_out_of_memory());
}

TEST_F(RealCgroup, EnoughMemoryIsNot) {
  const StepCgroup group(places_, {.memory = std::uint64_t{64} << 20, .cpus = 0, .pids = 0}, name_);
  EXPECT_EQ(in_group(group, [] { return use_memory(std::size_t{1} << 20); }), 0);
  EXPECT_FALSE(group.ran_out_of_memory());
}

TEST_F(RealCgroup, ProcessesAreCounted) {
  const StepCgroup group(places_, {.memory = 0, .cpus = 0, .pids = 3}, name_);
  const int status = in_group(group, [] {
    int made = 0;
    while (made < 10) {
      const pid_t child = ::fork();
      if (child == 0) ::pause();
      if (child < 0) break;
      ++made;
    }
    return made;
  });
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

TEST_F(RealCgroup, GroupsAreGoneAfterwardsWithWhatRunsInThem) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  {
    const StepCgroup group(places_, {.memory = std::uint64_t{64} << 20, .cpus = 1, .pids = 10}, name_);
    ASSERT_TRUE(is_there(places_.place(Controller::Memory), name_));
    in_group(group, [&] {
      if (::fork() == 0) ::pause();  // holds the pipe's end until it is killed
      return 0;
    });
    ::close(ends[1]);
  }
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0) << "the left-over process lives";
  ::close(ends[0]);
  EXPECT_FALSE(is_there(places_.place(Controller::Memory), name_));
  EXPECT_FALSE(is_there(places_.place(Controller::Pids), name_));
}

TEST_F(RealCgroup, GroupsOfAKilledProcessAreRemovedAndThoseOfLivingOnesStay) {
  const StepLimits limits{.memory = 0, .cpus = 0, .pids = 10};
  const std::string orphan = name_ + "-orphan";
  const pid_t child = ::fork();
  if (child == 0) {
    const StepCgroup group(places_, limits, orphan);
    ::_exit(0);  // no destructor runs
  }
  ::waitpid(child, nullptr, 0);
  const StepCgroup living(places_, limits, name_);
  const CgroupPlaces::Place& pids = places_.place(Controller::Pids);
  ASSERT_TRUE(is_there(pids, orphan));
  remove_abandoned_groups(places_);
  EXPECT_TRUE(is_there(pids, orphan)) << "it is young";
  remove_abandoned_groups(places_, std::chrono::seconds(0));
  EXPECT_FALSE(is_there(pids, orphan));
  EXPECT_TRUE(is_there(pids, name_));
}

}  // namespace
}  // namespace slipway
