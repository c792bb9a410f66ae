#include "content/copy_metadata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace slipway {

CopyMetadata::Made CopyMetadata::made_of(const struct stat& source) const {
  struct stat from = source;
  owners_.show(from);
  return {.mode = mode_for(source),
          .uid = options_.uid.value_or(options_.source_is_roots ? 0 : from.st_uid),
          .gid = options_.gid.value_or(options_.source_is_roots ? 0 : from.st_gid),
          .mtime = options_.mtime.value_or(source.st_mtim)};
}

void CopyMetadata::own(const CopyPlace& place, const struct stat& from) const {
  const Made made = made_of(from);
  if (owners_.give(place.directory, place.name.c_str(), made.uid, made.gid, AT_SYMLINK_NOFOLLOW) == 0) return;
  // The source's owner may have no meaning here (no mapping in our user namespace, or we are nobody special);
  // an owner that was asked for must be had.
  const bool asked = options_.uid || options_.gid || options_.source_is_roots;
  if (asked || (errno != EPERM && errno != EINVAL)) throw SystemError(errno, "chown", place.shown);
}

mode_t CopyMetadata::mode_for(const struct stat& from) const {
  if (options_.mode_change) return options_.mode_change->apply(from.st_mode);
  return (options_.mode ? static_cast<mode_t>(*options_.mode) : from.st_mode) & 07777;
}

void CopyMetadata::finish(int fd, const CopyPlace& place, const TreeEntry& entry,
                          const Xattrs& xattrs) const {
  own(place, entry.status);
  if (::fchmod(fd, mode_for(entry.status)) != 0) throw SystemError(errno, "chmod", place.shown);
  const int error = write_xattrs(fd, xattrs);
  if (error != 0 && error != ENOTSUP) throw SystemError(error, "set attributes of", place.shown);
  take_times(fd, place, entry);
}

void CopyMetadata::finish_special(const CopyPlace& place, const TreeEntry& entry) const {
  own(place, entry.status);
  if (!entry.is_link() && ::fchmodat(place.directory, place.name.c_str(), mode_for(entry.status), 0) != 0)
    throw SystemError(errno, "chmod", place.shown);
  const struct timespec time = options_.mtime.value_or(entry.status.st_mtim);
  const struct timespec times[2] = {time, time};
  if (::utimensat(place.directory, place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    throw SystemError(errno, "set times of", place.shown);
}

void CopyMetadata::take_mode(int fd, const CopyPlace& place, const TreeEntry& entry) {
  if (::fchmod(fd, entry.status.st_mode & 07777) != 0) throw SystemError(errno, "chmod", place.shown);
}

void CopyMetadata::take_times(int fd, const CopyPlace& place, const TreeEntry& entry) const {
  const struct timespec time = options_.mtime.value_or(entry.status.st_mtim);
  const struct timespec times[2] = {time, time};
  if (::futimens(fd, times) != 0) throw SystemError(errno, "set times of", place.shown);
}

}  // namespace slipway
