#include "content/node_copy.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/owner_view.h"

namespace slipway {
namespace {

/// What is to be had of an owner: chown needs a right that we may not have.
void own(int directory, const char* name, struct stat status, int flags, const std::string& path) {
  const OwnerView owners;
  owners.show(status);
  if (owners.give(directory, name, status.st_uid, status.st_gid, flags) == 0) return;
  if (errno != EPERM && errno != EINVAL) throw SystemError(errno, "chown", path);
}

/// An open file or directory. chown comes first: it clears set-user-id bits and file capabilities.
void finish(int from, const struct stat& status, int to, const std::string& path) {
  own(to, "", status, AT_EMPTY_PATH, path);
  if (::fchmod(to, status.st_mode & 07777) != 0) throw SystemError(errno, "chmod", path);
  for (const auto& [name, value] : read_xattrs(from, path, is_step_xattr)) {
    if (::fsetxattr(to, name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (errno != EPERM && errno != ENOTSUP) throw SystemError(errno, "set attributes of", path);
  }
  const struct timespec times[2] = {status.st_atim, status.st_mtim};
  if (::futimens(to, times) != 0) throw SystemError(errno, "set times of", path);
}

}  // namespace

void NodeCopy::copy(const NodePlace& from, const struct stat& status, const NodePlace& to) {
  if (stop_.stop_requested()) throw Cancelled{};
  if (bytes_ == FileBytes::Linked &&
      ::linkat(from.directory, from.name.c_str(), to.directory, to.name.c_str(), 0) == 0)
    return;  // else: too many names, another file system, or a kernel that protects from links
  if (status.st_nlink > 1 && link_to_copy(status, to)) return;
  if (S_ISREG(status.st_mode))
    copy_file(from, status, to);
  else
    copy_special(from, status, to);
  if (status.st_nlink > 1) copied_[{status.st_dev, status.st_ino}] = to.path;
}

bool NodeCopy::link_to_copy(const struct stat& status, const NodePlace& to) {
  const auto known = copied_.find({status.st_dev, status.st_ino});
  if (known == copied_.end()) return false;
  const RootedDir::Parent at = target_.open_parent(known->second);
  if (::linkat(at.directory.get(), at.name.c_str(), to.directory, to.name.c_str(), 0) == 0) return true;
  if (errno == EMLINK || errno == EXDEV || errno == EPERM || errno == ENOENT) return false;
  throw SystemError(errno, "link", to.path);
}

void NodeCopy::copy_file(const NodePlace& from, const struct stat& status, const NodePlace& to) {
  const UniqueFd source = open_own(from.directory, from.name, O_RDONLY | O_NONBLOCK, from.path);
  const UniqueFd copy{
      ::openat(to.directory, to.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!copy) throw SystemError(errno, "create", to.path);
  copy_bytes(source.get(), copy.get(), static_cast<std::uint64_t>(status.st_size), to.path, stop_);
  finish(source.get(), status, copy.get(), to.path);
}

void NodeCopy::copy_special(const NodePlace& from, const struct stat& status, const NodePlace& to) const {
  int result = 0;
  if (S_ISLNK(status.st_mode)) {
    const std::string target = link_target(from.directory, from.name, from.path);
    result = ::symlinkat(target.c_str(), to.directory, to.name.c_str());
  } else {
    result = ::mknodat(to.directory, to.name.c_str(), (status.st_mode & S_IFMT) | 0600, status.st_rdev);
    if (result != 0 && errno == EPERM) return;  // a device, and no right to make one
  }
  if (result != 0) throw SystemError(errno, S_ISLNK(status.st_mode) ? "symlink" : "mknod", to.path);
  own(to.directory, to.name.c_str(), status, AT_SYMLINK_NOFOLLOW, to.path);
  if (!S_ISLNK(status.st_mode) && ::fchmodat(to.directory, to.name.c_str(), status.st_mode & 07777, 0) != 0)
    throw SystemError(errno, "chmod", to.path);
  const struct timespec times[2] = {status.st_atim, status.st_mtim};
  if (::utimensat(to.directory, to.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "set times of", to.path);
}

void NodeCopy::finish_directory(int from, const struct stat& status, int to, const std::string& path) const {
  finish(from, status, to, path);
}

bool same_content(int one, int other, const std::string& path, const std::stop_token& stop) {
  if (read_xattrs(one, path, is_step_xattr) != read_xattrs(other, path, is_step_xattr)) return false;
  std::vector<char> first(std::size_t{128} << 10), second(first.size());
  for (off_t at = 0;;) {
    if (stop.stop_requested()) throw Cancelled{};
    const ssize_t n = ::pread(one, first.data(), first.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, "read", path);
    // Short reads need not be equally short, so only as much as the first gave is asked for.
    for (ssize_t done = 0; done < n;) {
      const ssize_t m = ::pread(other, second.data() + done, static_cast<std::size_t>(n - done), at + done);
      if (m < 0 && errno == EINTR) continue;
      if (m < 0) throw SystemError(errno, "read", path);
      if (m == 0) return false;
      done += m;
    }
    if (n == 0) return true;
    if (!std::equal(first.begin(), first.begin() + n, second.begin())) return false;
    at += n;
  }
}

UniqueFd open_own(int directory, const std::string& name, int flags, std::string_view shown) {
  UniqueFd fd{::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW)};
  if (fd) return fd;
  const int error = errno;
  struct stat status {};
  const bool ours = error == EACCES && ::geteuid() != 0 &&
                    ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    !S_ISLNK(status.st_mode) && status.st_uid == ::geteuid();
  if (!ours) throw SystemError(error, "open", shown);
  const mode_t opened = (status.st_mode & 07777) | (S_ISDIR(status.st_mode) ? 0500 : 0400);
  if (::fchmodat(directory, name.c_str(), opened, 0) != 0) throw SystemError(error, "open", shown);
  fd = UniqueFd{::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW)};
  const int second = errno;
  ::fchmodat(directory, name.c_str(), status.st_mode & 07777, 0);
  if (!fd) throw SystemError(second, "open", shown);
  return fd;
}

}  // namespace slipway
