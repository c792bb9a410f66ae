#include "content/tree_outline.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "content/file_bytes.h"
#include "content/overlay_marks.h"

namespace slipway {
namespace {

constexpr int kDeepest = 64;  // one descriptor a level, and many steps may end at once

class Outline {
 public:
  /// The tree's root.
  void add(const std::string& tree) {
    struct stat status {};
    if (::lstat(tree.c_str(), &status) != 0) throw SystemError(errno, "stat", tree);
    text_ = concat(status.st_mode, '\0');
    add_directory(AT_FDCWD, tree, 0);
  }

  std::string finish() {
    flush(0);
    return std::string(hash_.finish().hex());
  }

 private:
  static constexpr std::size_t kEnough = 1 << 16;

  void add_directory(int parent, const std::string& name, int depth) {
    // A user's own that he may not read is one that nobody looks into.
    UniqueFd directory{::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!directory && errno != EACCES) throw SystemError(errno, "open", name);
    if (!directory) {
      text_ += '?';
      return;
    }
    if (has_opaque_mark(directory.get())) text_ += '!';
    for (const std::string& entry : sorted_names(directory.get(), name)) add(directory.get(), entry, depth);
    text_ += '/';
    flush(kEnough);
  }

  void add(int parent, const std::string& name, int depth) {
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "stat", name);
    text_ += concat(name, '\0', status.st_mode, ' ', status.st_rdev, ' ');
    if (S_ISREG(status.st_mode)) text_ += concat(status.st_size, ' ', status.st_mtim.tv_sec);
    if (S_ISLNK(status.st_mode)) text_ += link_target(parent, name, name);
    text_ += '\0';
    if (S_ISDIR(status.st_mode) && depth < kDeepest) add_directory(parent, name, depth + 1);
  }

  void flush(std::size_t above) {
    if (text_.size() <= above) return;
    hash_.update(text_);
    text_.clear();
  }

  Sha256 hash_;
  std::string text_;
};

}  // namespace

std::string outline_of_tree(const std::filesystem::path& tree) {
  Outline outline;
  outline.add(tree.native());
  return outline.finish();
}

}  // namespace slipway
