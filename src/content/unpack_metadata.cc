#include "content/unpack_metadata.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

struct timespec time_of(const LayerEntry& entry) {
  return {.tv_sec = entry.mtime, .tv_nsec = entry.mtime_nanoseconds};
}

}  // namespace

void UnpackMetadata::warn_once(bool& warned, const std::string& what) {
  if (!warned) logger_.log(LogLevel::Warning, concat(layer_, ": ", what));
  warned = true;
}

void UnpackMetadata::warn_device(const std::string& path) {
  warn_once(warned_device_, concat("device nodes cannot be made ",
                                   owners_.squashes() ? "without root's rights" : "in this user namespace",
                                   " and are left out (/", path, ")"));
}

void UnpackMetadata::check_owner(int result, const std::string& path) {
  if (result == 0) return;
  // EINVAL: the id has no mapping in our user namespace; EPERM: we may not give files away at all.
  if (errno != EINVAL && errno != EPERM) throw SystemError(errno, "chown", "/" + path);
  warn_once(warned_owner_,
            owners_.squashes()
                ? concat("without root's rights all files become root's (/", path, ")")
                : concat("owners that this user namespace does not map become ours (/", path, ")"));
}

void UnpackMetadata::apply(int fd, const LayerEntry& entry) {
  check_owner(
      owners_.give(fd, "", static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid), AT_EMPTY_PATH),
      entry.name);
  // After chown, which clears set-user-id and file capabilities.
  const bool directory = S_ISDIR(entry.mode);
  if (!directory && ::fchmod(fd, entry.mode & 07777) != 0)
    throw SystemError(errno, "chmod", "/" + entry.name);
  if (const int error = write_xattrs(fd, entry.xattrs)) {
    if (error != ENOTSUP && error != EPERM) throw SystemError(error, "set attributes of", "/" + entry.name);
    warn_once(warned_xattr_,
              concat("extended attributes cannot be set here and are left out (/", entry.name, ")"));
  }
  const struct timespec times[2] = {time_of(entry), time_of(entry)};
  if (!directory && ::futimens(fd, times) != 0) throw SystemError(errno, "set times of", "/" + entry.name);
}

void UnpackMetadata::apply_at(int directory, const std::string& name, const LayerEntry& entry) {
  check_owner(owners_.give(directory, name.c_str(), static_cast<uid_t>(entry.uid),
                           static_cast<gid_t>(entry.gid), AT_SYMLINK_NOFOLLOW),
              entry.name);
  if (!S_ISLNK(entry.mode) && ::fchmodat(directory, name.c_str(), entry.mode & 07777, 0) != 0)
    throw SystemError(errno, "chmod", "/" + entry.name);
  const struct timespec times[2] = {time_of(entry), time_of(entry)};
  if (::utimensat(directory, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "set times of", "/" + entry.name);
}

void UnpackMetadata::remember_directory(const std::string& path, const LayerEntry& entry) {
  directories_[path] = {.mode = entry.mode & 07777, .mtime = time_of(entry)};
}

void UnpackMetadata::forget_directory(const std::string& path) {
  directories_.erase(path);
  const std::string prefix = path + "/";
  auto at = directories_.lower_bound(prefix);
  while (at != directories_.end() && at->first.starts_with(prefix)) at = directories_.erase(at);
}

void UnpackMetadata::finish_directories(const RootedDir& root) {
  for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
    const auto directory = root.try_open(at->first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory) continue;
    if (::fchmod(directory->get(), at->second.mode) != 0) throw SystemError(errno, "chmod", "/" + at->first);
    const struct timespec times[2] = {at->second.mtime, at->second.mtime};
    if (::futimens(directory->get(), times) != 0) throw SystemError(errno, "set times of", "/" + at->first);
  }
}

}  // namespace slipway
