#include "base/rooted.h"

#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {

int open_in_root(int root, const char* path, int flags, unsigned mode) noexcept {
  struct open_how how = {};
  how.flags = static_cast<unsigned long long>(flags) | O_CLOEXEC;
  // openat2(2) refuses a mode without O_CREAT or O_TMPFILE.
  how.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  while (true) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    // EAGAIN: something was renamed during the walk and the kernel cannot vouch for ".."; it asks us to try
    // again.
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return static_cast<int>(fd);
  }
}

namespace {

std::string or_dot(std::string_view path) { return path.empty() ? "." : std::string(path); }

}  // namespace

RootedDir::RootedDir(const std::filesystem::path& root)
    : root_(open_file(root, O_PATH | O_DIRECTORY)), shown_(root.native()) {}

UniqueFd RootedDir::open(std::string_view path, int flags, unsigned mode) const {
  UniqueFd fd{open_in_root(root_.get(), or_dot(path).c_str(), flags, mode)};
  if (!fd) throw SystemError(errno, "open", concat(shown_, "/", path));
  return fd;
}

std::optional<UniqueFd> RootedDir::try_open(std::string_view path, int flags) const {
  UniqueFd fd{open_in_root(root_.get(), or_dot(path).c_str(), flags, 0)};
  if (fd) return fd;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  throw SystemError(errno, "open", concat(shown_, "/", path));
}

std::optional<struct stat> RootedDir::stat(std::string_view path, bool follow) const {
  const auto fd = try_open(path, O_PATH | (follow ? 0 : O_NOFOLLOW));
  if (!fd) return std::nullopt;
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) throw SystemError(errno, "stat", concat(shown_, "/", path));
  return status;
}

std::optional<std::string> RootedDir::read_file(std::string_view path) const {
  const auto fd = try_open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return std::nullopt;
  return read_all(fd->get(), path);
}

RootedDir::Parent RootedDir::open_parent(std::string_view path) const {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  const std::string_view directory = slash == std::string_view::npos ? "" : path.substr(0, slash + 1);
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (name.empty()) name = ".";
  if (name == "..") throw InvalidInput(concat("\"", path, "\" ends in \"..\""));
  return {.directory = open(directory, O_RDONLY | O_DIRECTORY), .name = std::string(name)};
}

UniqueFd RootedDir::make_directories(std::string_view path, const NewDirectory& how) const {
  std::string sofar;
  UniqueFd at = open(".", O_RDONLY | O_DIRECTORY);
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    sofar += "/" + part;
    UniqueFd next{open_in_root(root_.get(), sofar.c_str(), O_RDONLY | O_DIRECTORY, 0)};
    if (!next && errno == ENOENT) {
      // The parent is the directory just opened; a dangling link here is EEXIST and refused below.
      if (::mkdirat(at.get(), part.c_str(), how.mode & 07777) != 0 && errno != EEXIST)
        throw SystemError(errno, "mkdir", sofar);
      next = open(sofar, O_RDONLY | O_DIRECTORY);
      if (how.uid || how.gid) {
        if (::fchown(next.get(), how.uid.value_or(static_cast<unsigned>(-1)),
                     how.gid.value_or(static_cast<unsigned>(-1))) != 0)
          throw SystemError(errno, "chown", sofar);
      }
      if (::fchmod(next.get(), how.mode & 07777) != 0) throw SystemError(errno, "chmod", sofar);
      if (how.mtime) {
        const struct timespec times[2] = {*how.mtime, *how.mtime};
        ::futimens(next.get(), times);
      }
    }
    if (!next) throw SystemError(errno, "open", sofar);
    at = std::move(next);
  }
  return at;
}

}  // namespace slipway
