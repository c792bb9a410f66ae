#pragma once
// Access to files below a directory that holds somebody else's tree (a root file system, a context). Every
// path is resolved with that directory as "/": absolute links and ".." stay inside (openat2(2),
// RESOLVE_IN_ROOT).
#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace slipway {

/// Thread-safe: holds one descriptor and no other state.
class RootedDir {
 public:
  explicit RootedDir(const std::filesystem::path& root);
  /// A directory that is open; `shown` stands for it in messages.
  RootedDir(UniqueFd root, std::string shown) : root_(std::move(root)), shown_(std::move(shown)) {}

  /// openat2 within the root. O_CLOEXEC is added. Throws SystemError.
  UniqueFd open(std::string_view path, int flags, unsigned mode = 0) const;
  /// The same, with nothing for ENOENT and ENOTDIR.
  std::optional<UniqueFd> try_open(std::string_view path, int flags) const;
  /// Status of what `path` names. Links in the last component are followed only if `follow`.
  std::optional<struct stat> stat(std::string_view path, bool follow) const;
  std::optional<std::string> read_file(std::string_view path) const;

  struct Parent {
    UniqueFd directory;
    std::string name;  ///< last component; "." for the root itself
  };
  /// Opens the directory that holds the last component of `path` (which need not exist).
  Parent open_parent(std::string_view path) const;

  struct NewDirectory {
    unsigned mode = 0755;
    std::optional<unsigned> uid;
    std::optional<unsigned> gid;
    std::optional<struct timespec> mtime;
  };
  /// mkdir -p: existing directories are left as they are; those made get `how`. Returns the last one (O_PATH
  /// is not used, it can be read). Throws SystemError (ENOTDIR if a file is in the way).
  UniqueFd make_directories(std::string_view path, const NewDirectory& how) const;

  int fd() const { return root_.get(); }
  /// The root, as messages name it.
  const std::string& shown() const { return shown_; }

 private:
  UniqueFd root_;
  std::string shown_;
};

/// openat2(2) with RESOLVE_IN_ROOT relative to any directory descriptor. Returns -1 and errno.
int open_in_root(int root, const char* path, int flags, unsigned mode) noexcept;

}  // namespace slipway
