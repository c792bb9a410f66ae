#include "content/tree_clone.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"

namespace slipway {
namespace {

class Cloner {
 public:
  Cloner(const RootedDir& target, FileBytes bytes, const std::stop_token& stop)
      : copy_(target, bytes, stop), stop_(stop) {}

  void clone(const LowerDirectory& from, int to, const std::string& path) {
    if (stop_.stop_requested()) throw Cancelled{};
    const auto self = from.self();
    if (!self) return;
    const UniqueFd source = open_own(AT_FDCWD, self->path.native(), O_RDONLY | O_DIRECTORY, path);
    for (const auto& [name, found] : from.entries()) {
      const std::string child = concat(path, "/", name);
      if (!S_ISDIR(found.status.st_mode)) {
        copy_.copy({.directory = AT_FDCWD, .name = found.path.native(), .path = child}, found.status,
                   {.directory = to, .name = name, .path = child});
        continue;
      }
      if (::mkdirat(to, name.c_str(), 0700) != 0) throw SystemError(errno, "mkdir", child);
      clone(from.enter(name), open_at(to, name, O_RDONLY | O_DIRECTORY, child).get(), child);
    }
    copy_.finish_directory(source.get(), self->status, to, path.empty() ? "/" : path);
  }

 private:
  NodeCopy copy_;
  const std::stop_token& stop_;
};

}  // namespace

void clone_tree(const LowerDirectory& from, FileBytes bytes, const RootedDir& target,
                const std::stop_token& stop) {
  Cloner(target, bytes, stop).clone(from, target.open(".", O_RDONLY | O_DIRECTORY).get(), "");
}

}  // namespace slipway
