#include "content/tree_outline.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/unique_fd.h"
#include "content/file_bytes.h"

namespace slipway {
namespace {

constexpr int kDeepest = 400;  // one descriptor a level

class Outline {
 public:
  void add_directory(const UniqueFd& directory, int depth) {
    for (const std::string& name : sorted_names(directory.get(), "a snapshot"))
      add(directory.get(), name, depth);
    text_ += '/';
    flush(kEnough);
  }

  std::string finish() {
    flush(0);
    return std::string(hash_.finish().hex());
  }

 private:
  static constexpr std::size_t kEnough = 1 << 16;

  void add(int parent, const std::string& name, int depth) {
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      throw SystemError(errno, "stat", name);
    text_ += concat(name, '\0', status.st_mode, ' ', status.st_rdev, ' ');
    if (S_ISREG(status.st_mode)) text_ += concat(status.st_size, ' ', status.st_mtim.tv_sec);
    if (S_ISLNK(status.st_mode)) text_ += link_target(parent, name, name);
    text_ += '\0';
    if (S_ISDIR(status.st_mode) && depth < kDeepest)
      add_directory(open_at(parent, name, O_RDONLY | O_DIRECTORY, name), depth + 1);
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
  outline.add_directory(open_at(AT_FDCWD, tree.native(), O_RDONLY | O_DIRECTORY, tree.native()), 0);
  return outline.finish();
}

}  // namespace slipway
