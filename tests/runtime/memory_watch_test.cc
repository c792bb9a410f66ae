#include "runtime/memory_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Fills so much memory, which the caller's process keeps until it ends.
void fill(std::size_t bytes, int flags = MAP_PRIVATE) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) ::_exit(1);
  for (std::size_t at = 0; at < bytes; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
}

/// A process that has done something and then waits to be killed.
class Waiting {
 public:
  explicit Waiting(const std::function<void()>& act) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) throw SystemError(errno, "pipe2");
    pid_ = ::fork();
    if (pid_ == 0) {
      act();
      ::close(ready[0]);
      [[maybe_unused]] const auto n = ::write(ready[1], "1", 1);
      while (true) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
  }
  ~Waiting() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  std::size_t peak() const {
    MemoryWatch watch;
    watch.look(pid_);
    return watch.peak();
  }

 private:
  pid_t pid_ = 0;
};

/// `count` children of the calling process that act and wait as long as it lives.
void with_children(int count, const std::function<void()>& act) {
  for (int i = 0; i < count; ++i) new Waiting([&] {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      act();
    });
}

TEST(MemoryWatch, AddsUpWhatProcessesHaveAtOnce) {
  const Waiting top([] { with_children(3, [] { fill(50 * kMiB); }); });
  EXPECT_GT(top.peak(), 150 * kMiB);
  EXPECT_LT(top.peak(), 200 * kMiB);
}

TEST(MemoryWatch, SeesTheChildrenOfThreads) {
  const Waiting top([] {
    std::promise<void> made;
    std::thread([&made] {
      with_children(1, [] { fill(100 * kMiB); });
      made.set_value();
      ::pause();
    }).detach();
    made.get_future().wait();
  });
  EXPECT_GT(top.peak(), 100 * kMiB);
}

TEST(MemoryWatch, CountsOnceWhatForksHaveInCommon) {
  const Waiting top([] {
    fill(100 * kMiB);
    with_children(4, [] {});
  });
  EXPECT_GT(top.peak(), 100 * kMiB);
  EXPECT_LT(top.peak(), 150 * kMiB);
}

TEST(MemoryWatch, CountsSharedMemory) {
  const Waiting top([] {
    fill(100 * kMiB, MAP_SHARED);
    with_children(2, [] {});
  });
  EXPECT_GT(top.peak(), 100 * kMiB);
  EXPECT_LT(top.peak(), 150 * kMiB);
}

TEST(MemoryWatch, DoesNotCountPagesOfFiles) {
  const TempDir directory;
  write_file_atomic(directory.path() / "large", "");
  std::filesystem::resize_file(directory.path() / "large", 100 * kMiB);
  const Waiting top([&] {
    const int fd = ::open((directory.path() / "large").c_str(), O_RDONLY);
    const auto* text = static_cast<const volatile char*>(::mmap(nullptr, 100 * kMiB, PROT_READ, MAP_SHARED, fd, 0));
    for (std::size_t at = 0; at < 100 * kMiB; at += 4096) static_cast<void>(text[at]);
  });
  EXPECT_LT(top.peak(), 50 * kMiB);
}

TEST(MemoryWatch, KeepsThePeak) {
  MemoryWatch watch;
  EXPECT_EQ(watch.peak(), 0U);
  watch.look(::getpid());
  const auto before = watch.peak();
  EXPECT_GT(before, 0U);
  watch.look(0x3fffff);  // no such process
  EXPECT_EQ(watch.peak(), before);
  EXPECT_GE(watch.look_again_after(::getpid()).count(), 100);
}

}  // namespace
}  // namespace slipway
