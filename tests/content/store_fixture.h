#pragma once
// A store in a directory of its own, and other processes that use it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/logger.h"
#include "content/mount_environment.h"
#include "content/store.h"

namespace slipway::testing_support {

class StoreTest : public testing::Test {
 protected:
  std::unique_ptr<Store> open() { return Store::open(root(), logger_); }
  std::filesystem::path root() const { return directory_.path() / "store"; }

  /// What another program would do to the database while no store is open.
  void run_sql(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((root() / "slipway.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  NullLogger logger_;
  TempDir directory_{test_space(), "store"};
};

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  const UniqueFd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(fd.get(), text, path.native());
}

/// A snapshot with one file, NAME holding NAME.
inline SnapshotId make_snapshot(Store& store, const std::optional<SnapshotId>& parent, const std::string& name) {
  ActiveSnapshot active = store.snapshots().prepare(parent);
  write_text(active.root() / name, name);
  return store.snapshots().commit(std::move(active), 1000);
}

inline std::size_t entries_of(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

/// Another process that runs `work`. It says when it is done, then stays until it is told to end or is killed.
class OtherProcess {
 public:
  /// `work` returns what must live on in the process while it stays.
  explicit OtherProcess(const std::function<std::unique_ptr<Store>()>& work) {
    int ready[2], go[2];
    if (::pipe2(ready, O_CLOEXEC) != 0 || ::pipe2(go, O_CLOEXEC) != 0) throw SystemError(errno, "pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      int code = 1;
      try {
        std::unique_ptr<Store> kept = work();
        char byte = 'r';
        if (::write(ready[1], &byte, 1) == 1 && ::read(go[0], &byte, 1) >= 0) code = 0;
      } catch (const std::exception& e) {
        std::fprintf(stderr, "other process: %s\n", e.what());
        code = 2;
      }
      ::_exit(code);
    }
    ::close(ready[1]);
    go_from_ = UniqueFd(go[0]);  // open, so that telling a dead process raises no SIGPIPE
    go_ = UniqueFd(go[1]);
    ready_ = UniqueFd(ready[0]);
  }
  ~OtherProcess() {
    if (pid_ > 0) kill_now();
  }
  /// False if it died before it was done.
  bool wait_ready() {
    char byte;
    return ::read(ready_.get(), &byte, 1) == 1;
  }
  void kill_now() {
    ::kill(pid_, SIGKILL);
    end();
  }
  /// Lets it end in order; its exit code, or -1 if it was killed.
  int end() {
    // A byte, not just the end of the pipe: other children hold its writing end too.
    const char byte = 'g';
    if (::write(go_.get(), &byte, 1) != 1) std::perror("telling the other process to end");
    go_.reset();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd go_, go_from_, ready_;
};

}  // namespace slipway::testing_support
