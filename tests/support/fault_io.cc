// Preloaded into slipway by tests: makes its calls on a store's files fail, and notes their order. Not for
// production.
//
//   FAULT_IO_ROOT=DIR     only what happens to files below it counts
//   FAULT_IO_FAIL=N[+]    the Nth such call fails with EIO ("+": that and all later ones)
//   FAULT_IO_LOG=FILE     a line for each: THREAD CALL PATH [TARGET]
//
// Counted: read, pread, write, pwrite, copy_file_range, ftruncate, fsync, fdatasync, syncfs, rename,
// renameat, renameat2, linkat. Only in programs called slipway: steps and runtimes inherit the environment.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace {

struct Settings {
  std::string root, log;
  long fail_at = 0;
  bool and_later = false;

  Settings() {
    char self[4096] = {};
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    const std::string program(self, length > 0 ? static_cast<size_t>(length) : 0);
    if (program.substr(program.rfind('/') + 1) != "slipway") return;
    if (const char* text = getenv("FAULT_IO_ROOT")) root = text;
    if (const char* text = getenv("FAULT_IO_LOG")) log = text;
    if (const char* text = getenv("FAULT_IO_FAIL")) {
      fail_at = atol(text);
      and_later = strchr(text, '+') != nullptr;
    }
  }
};

const Settings& settings() {
  static const Settings kSettings;
  return kSettings;
}

std::atomic<long> calls{0};

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd) {
  char path[4096] = {};
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path - 1);
  return {path, length > 0 ? static_cast<size_t>(length) : 0};
}

/// False if this call is to fail.
bool counted(const char* call, const std::string& path, const std::string& target = {}) {
  const Settings& given = settings();
  if (given.root.empty() || path.compare(0, given.root.size() + 1, given.root + "/") != 0) return true;
  if (!given.log.empty()) {
    const std::string line = std::to_string(syscall(SYS_gettid)) + " " + call + " " + path +
                             (target.empty() ? "" : " " + target) + "\n";
    const int fd = open(given.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
      syscall(SYS_write, fd, line.data(), line.size());
      close(fd);
    }
  }
  if (given.fail_at == 0) return true;
  const long number = ++calls;
  return given.and_later ? number < given.fail_at : number != given.fail_at;
}

std::string path_at(int directory, const char* path) {
  return path[0] == '/' || directory == AT_FDCWD ? path : path_of(directory) + "/" + path;
}

int failed() {
  errno = EIO;
  return -1;
}

}  // namespace

extern "C" {

ssize_t read(int fd, void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, void*, size_t)>("read");
  return counted("read", path_of(fd)) ? real(fd, bytes, size) : failed();
}

ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return counted("pread", path_of(fd)) ? real(fd, bytes, size, at) : failed();
}

ssize_t pread(int fd, void* bytes, size_t size, off_t at) { return pread64(fd, bytes, size, at); }

ssize_t copy_file_range(int from, off64_t* in, int to, off64_t* out, size_t size, unsigned flags) {
  static const auto real =
      next<ssize_t (*)(int, off64_t*, int, off64_t*, size_t, unsigned)>("copy_file_range");
  return counted("copy", path_of(to)) ? real(from, in, to, out, size, flags) : failed();
}

int ftruncate64(int fd, off64_t size) noexcept {
  static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
  return counted("truncate", path_of(fd)) ? real(fd, size) : failed();
}

int ftruncate(int fd, off_t size) noexcept { return ftruncate64(fd, size); }

ssize_t write(int fd, const void* bytes, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return counted("write", path_of(fd)) ? real(fd, bytes, size) : failed();
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return counted("pwrite", path_of(fd)) ? real(fd, bytes, size, at) : failed();
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }

int fsync(int fd) {
  static const auto real = next<int (*)(int)>("fsync");
  return counted("fsync", path_of(fd)) ? real(fd) : failed();
}

int fdatasync(int fd) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return counted("fsync", path_of(fd)) ? real(fd) : failed();
}

int syncfs(int fd) noexcept {
  static const auto real = next<int (*)(int)>("syncfs");
  return counted("syncfs", path_of(fd) + "/") ? real(fd) : failed();
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return counted("rename", from, to) ? real(from, to) : failed();
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  return counted("rename", path_at(from_directory, from), path_at(to_directory, to))
             ? real(from_directory, from, to_directory, to)
             : failed();
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return counted("rename", path_at(from_directory, from), path_at(to_directory, to))
             ? real(from_directory, from, to_directory, to, flags)
             : failed();
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*, int)>("linkat");
  return counted("link", path_at(from_directory, from), path_at(to_directory, to))
             ? real(from_directory, from, to_directory, to, flags)
             : failed();
}
}
