#include "runtime/confine.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <array>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "test_ids.h"

namespace slipway {
namespace {

struct Channel {
  UniqueFd read, write;
  Channel() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw SystemError(errno, "pipe");
    read = UniqueFd{ends[0]};
    write = UniqueFd{ends[1]};
  }
  void tell() const { [[maybe_unused]] const ssize_t n = ::write(write.get(), "x", 1); }
  /// True for a byte, false for the end: nobody is left who could write one. The deadline is for broken code
  /// only.
  bool hear() const {
    struct pollfd wait {
      read.get(), POLLIN, 0
    };
    if (::poll(&wait, 1, 20000) != 1) throw std::runtime_error("nothing heard");
    char c;
    return ::read(read.get(), &c, 1) == 1;
  }
};

// run_confined() in a process of its own, started by this one.
pid_t start(
    const std::function<int(const Confinement&)>& work,
    const std::function<bool()>& before = [] { return true; }, std::optional<Isolation> wanted = {}) {
  const pid_t outer = ::fork();
  if (outer != 0) return outer;
  if (!before()) ::_exit(99);
  try {
    ::_exit(run_confined(
        [&](const Confinement& confinement) {
          ::_exit(work(confinement));
          return 0;
        },
        wanted));
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", describe(e).c_str());
    ::_exit(98);
  }
}
int end_of(pid_t outer) {
  int status = 0;
  ::waitpid(outer, &status, 0);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}
int run(
    const std::function<int(const Confinement&)>& work,
    const std::function<bool()>& before = [] { return true; }) {
  return end_of(start(work, before));
}

const Channel* told = nullptr;  // for signal handlers
void tell_signal(int) { told->tell(); }

TEST(Confine, ExitCodeIsTheWorks) {
  EXPECT_EQ(run([](const Confinement&) { return 42; }), 42);
}

TEST(Confine, KilledWorkerIsAnInfrastructureFailure) {
  EXPECT_EQ(run([](const Confinement&) { return ::kill(::getpid(), SIGKILL); }), 3);
}

TEST(Confine, ErrorOfTheWorkBecomesItsExitCode) {
  const pid_t outer = ::fork();
  if (outer == 0) ::_exit(run_confined([](const Confinement&) -> int { throw UsageError("no such flag"); }));
  EXPECT_EQ(end_of(outer), 2);
}

TEST(Confine, WorkHasItsOwnProcesses) {
  EXPECT_EQ(run([](const Confinement& confinement) {
              const bool own_proc = std::filesystem::read_symlink("/proc/self") == std::to_string(::getpid());
              return confinement.pid_namespace && ::getppid() == 1 && own_proc ? 0 : 1;
            }),
            0);
}

TEST(Confine, MountsStayInside) {
  const TempDir directory;
  EXPECT_EQ(run([&](const Confinement&) {
              if (::mount("none", directory.path().c_str(), "tmpfs", 0, nullptr) != 0) return 1;
              write_file_atomic(directory.path() / "inside", "x");
              return 0;
            }),
            0);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

// A fresh /proc hides what was mounted in the old one; the host's emulators must be found all the same. The
// table is mounted for this test's processes only, and read.
TEST(Confine, HostsBinfmtTableIsSeen) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can mount binfmt_misc here";
  const auto mount_table = [] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_PRIVATE | MS_REC, nullptr) == 0 &&
           ::mount("none", "/proc/sys/fs/binfmt_misc", "binfmt_misc", 0, nullptr) == 0;
  };
  const int end = end_of(
      start([](const Confinement&) { return ::access("/proc/sys/fs/binfmt_misc/status", F_OK) == 0 ? 0 : 1; },
            mount_table));
  if (end == 99) GTEST_SKIP() << "this kernel has no binfmt_misc";
  EXPECT_EQ(end, 0);
}

TEST(Confine, SignalsReachTheWork) {
  Channel ready;
  const pid_t outer = start([&](const Confinement&) {
    ::signal(SIGTERM, [](int) { ::_exit(43); });
    ready.tell();
    while (true) ::pause();
    return 0;
  });
  ready.hear();
  ::kill(outer, SIGTERM);
  EXPECT_EQ(end_of(outer), 43);
}

TEST(Confine, SecondInterruptKills) {
  Channel channel;
  told = &channel;
  const pid_t outer = start([&](const Confinement&) {
    ::signal(SIGINT, tell_signal);
    channel.tell();
    while (true) ::pause();
    return 0;
  });
  channel.hear();
  ::kill(outer, SIGINT);
  channel.hear();
  ::kill(outer, SIGINT);
  EXPECT_EQ(end_of(outer), 130);
}

TEST(Confine, StopsAndContinuesWithTheTerminal) {
  Channel ready;
  const pid_t outer = start([&](const Confinement&) {
    ::signal(SIGTERM, [](int) { ::_exit(44); });
    ready.tell();
    while (true) ::pause();
    return 0;
  });
  ready.hear();
  ::kill(outer, SIGTSTP);
  int status = 0;
  ASSERT_EQ(::waitpid(outer, &status, WUNTRACED), outer);
  EXPECT_TRUE(WIFSTOPPED(status));
  ::kill(outer, SIGCONT);
  ::kill(outer, SIGTERM);
  EXPECT_EQ(end_of(outer), 44);
}

// The end of the channel is heard once every process that holds its other side is gone.
void expect_nobody_survives_kill(const std::function<bool()>& before) {
  Channel alive;
  const pid_t outer = start(
      [&](const Confinement&) {
        if (::fork() == 0) {
          ::setsid();
          if (::fork() == 0) {  // an orphan in a session of its own
            alive.tell();
            while (true) ::pause();
          }
          ::_exit(0);
        }
        while (true) ::pause();
        return 0;
      },
      before);
  alive.write.reset();
  ASSERT_TRUE(alive.hear());
  ::kill(outer, SIGKILL);
  EXPECT_FALSE(alive.hear());
  end_of(outer);
}

TEST(Confine, KillingTheOuterProcessLeavesNobody) {
  expect_nobody_survives_kill([] { return true; });
}

TEST(Confine, EndOfTheWorkLeavesNobody) {
  Channel alive;
  const pid_t outer = start([&](const Confinement&) {
    if (::fork() == 0) {
      alive.tell();
      while (true) ::pause();
    }
    return 0;
  });
  alive.write.reset();
  end_of(outer);
  while (alive.hear()) {
  }
}

bool may_chroot() { return isolation_without_namespaces() == Isolation::Chroot; }

TEST(ConfineWithoutNamespaces, WorksInTheCallersOwn) {
  if (!may_chroot()) GTEST_SKIP() << "only root may chroot";
  const auto ours = std::filesystem::read_symlink("/proc/self/ns/mnt");
  EXPECT_EQ(end_of(start(
                [&](const Confinement& confinement) {
                  return confinement.isolation == Isolation::Chroot && !confinement.user_namespace &&
                                 !confinement.pid_namespace && confinement.many_ids &&
                                 std::filesystem::read_symlink("/proc/self/ns/mnt") == ours
                             ? 42
                             : 1;
                },
                [] { return true; }, Isolation::Chroot)),
            42);
}

TEST(ConfineWithoutNamespaces, ARefusalNamesWhatIsMissing) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(end_of(start([](const Confinement&) { return 0; }, test::drop_to_test_user, Isolation::Chroot)),
            98);
}

// Nobody but init and the worker is told of outer's death; orphans in sessions of their own go by init's
// hand.
TEST(ConfineWithoutNamespaces, EndOfTheWorkLeavesNobody) {
  if (!may_chroot()) GTEST_SKIP() << "only root may chroot";
  Channel alive;
  const pid_t outer = start(
      [&](const Confinement&) {
        if (::fork() == 0) {
          ::setsid();
          if (::fork() != 0) ::_exit(0);
          alive.tell();
          while (true) ::pause();
        }
        alive.hear();
        return 0;
      },
      [] { return true; }, Isolation::Chroot);
  alive.write.reset();
  end_of(outer);
  while (alive.hear()) {
  }
}

class ConfineUnprivileged : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  }
};

TEST_F(ConfineUnprivileged, SingleIdIsRootInside) {
  EXPECT_EQ(run(
                [](const Confinement& confinement) {
                  return confinement.user_namespace && !confinement.many_ids && confinement.pid_namespace &&
                                 ::getuid() == 0
                             ? 0
                             : 1;
                },
                test::drop_to_test_user),
            0);
}

TEST_F(ConfineUnprivileged, SubordinateRangeGivesManyIds) {
  if (::access("/usr/bin/newuidmap", X_OK) != 0) GTEST_SKIP() << "newuidmap is not installed";
  EXPECT_EQ(run(
                [](const Confinement& confinement) {
                  const TempDir directory;
                  const bool owned = ::chown(directory.path().c_str(), 1000, 1000) == 0;
                  return confinement.user_namespace && confinement.many_ids && owned ? 0 : 1;
                },
                [] { return test::grant_subordinate_ids() && test::drop_to_test_user(); }),
            0);
}

TEST_F(ConfineUnprivileged, KillingTheOuterProcessLeavesNobody) {
  expect_nobody_survives_kill(test::drop_to_test_user);
}

}  // namespace
}  // namespace slipway
