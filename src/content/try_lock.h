#pragma once
// A file's flock(2) if nobody has it. Private to this module.
#include <sys/file.h>

#include <filesystem>
#include <optional>

#include "base/unique_fd.h"

namespace slipway {

/// Ends with the object even where a child of another thread, forked but not yet executing, holds the
/// descriptor too.
class FileLock {
 public:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  FileLock(FileLock&&) noexcept = default;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_) ::flock(fd_.get(), LOCK_UN);
  }

 private:
  UniqueFd fd_;
};

/// Nothing if somebody has it, or if the file is not there. Throws SystemError.
std::optional<FileLock> try_lock_file(const std::filesystem::path& path);

}  // namespace slipway
