// Without .git the checkout has a repository of its own beside it, that borrows the objects: what submodules
// write into a repository never gets into the one that is kept. With .git it is a shallow clone of that one.
#include "nodes/git_checkout.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {

namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0) throw SystemError(errno, "mkdir", path.native());
}

class Checkout {
 public:
  Checkout(const GitCheckout& what, const std::stop_token& stop) : what_(what), stop_(stop) {
    keeps_git_ = what.url.keep_git_dir && what.url.subdir.empty();
    work_tree_ = what.url.subdir.empty() ? what.target : what.scratch / "tree";
    git_dir_ = keeps_git_ ? what.target / ".git" : what.scratch / "git";
    if (!what.url.subdir.empty()) make_directory(work_tree_);
  }

  void run() {
    keeps_git_ ? clone() : borrow();
    git({"checkout", "--quiet", "--force", "--detach", what_.version.commit});
    if (what_.url.submodules && is_there(work_tree_ / ".gitmodules"))
      git({"submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"});
    if (keeps_git_) {
      forget_how_it_was_made();
    } else {
      remove_links_to_git();
    }
    if (!what_.url.subdir.empty()) take_subdir();
    set_times();
  }

 private:
  std::string git(std::vector<std::string> args, bool local = false) const {
    return what_.git.run({.args = std::move(args),
                          .git_dir = git_dir_,
                          .work_tree = work_tree_,
                          .directory = work_tree_,
                          .local = local},
                         what_.log, stop_);
  }

  std::string object_format() const {
    return what_.version.commit.size() == 64 ? "--object-format=sha256" : "--object-format=sha1";
  }

  void borrow() {
    git({"init", "--quiet", object_format()});
    write_file_atomic(git_dir_ / "objects/info/alternates",
                      concat((what_.repository / "objects").native(), "\n"));
    if (const auto shallow = read_file_if_exists(what_.repository / "shallow"))
      write_file_atomic(git_dir_ / "shallow", *shallow);
    git({"config", "remote.origin.url", what_.git.remote()});  // what relative submodules are relative to
  }

  void clone() {
    // Not through git(): told of a work tree, init would write its path down.
    what_.git.run({.args = {"init", "--quiet", object_format(), "--", what_.target.native()}}, what_.log,
                  stop_);
    const std::string& ref = what_.version.ref;
    const std::string object = what_.version.tag.empty() ? what_.version.commit : what_.version.tag;
    git({"fetch", "--quiet", "--depth=1", "--no-tags", "--update-head-ok", "--no-write-fetch-head", "--",
         what_.repository.native(), ref.empty() ? object : concat(object, ":", ref)},
        /*local=*/true);
    git({"remote", "add", "origin", without_credentials(what_.url.remote)});
  }

  void forget_how_it_was_made() const {
    git({"reflog", "expire", "--all", "--expire=now"});
    for (const char* name : {"FETCH_HEAD", "ORIG_HEAD"}) {
      std::error_code ignored;
      fs::remove(git_dir_ / name, ignored);
    }
  }

  /// A submodule's ".git" is a file that names a place of ours. git lets no commit have an entry of that
  /// name.
  void remove_links_to_git() const {
    std::vector<fs::path> links;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(work_tree_))
      if (entry.path().filename() == ".git") links.push_back(entry.path());
    for (const fs::path& link : links) remove_tree(link);
  }

  /// Directories only on the way, as BuildKit has it: a link could lead anywhere.
  fs::path find_subdir() const {
    fs::path at = work_tree_;
    for (const std::string& part : split(what_.url.subdir, '/')) {
      struct stat status {};
      const fs::path next = at / part;
      if (::lstat(next.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        at = next;
        continue;
      }
      InvalidInput missing(concat(shown_git_url(what_.url), ": \"", what_.url.subdir, "\" is ",
                                  is_there(next) ? "no directory" : "not", " in the repository"));
      std::vector<std::string> names;
      for (const fs::directory_entry& entry : fs::directory_iterator(at))
        if (entry.is_directory() && !entry.is_symlink()) names.push_back(entry.path().filename().native());
      if (const auto near = closest_match(part, names))
        missing.set_hint(concat("did you mean \"", *near, "\"?"));
      throw missing;
    }
    return at;
  }

  void take_subdir() const {
    std::vector<fs::path> entries;
    for (const fs::directory_entry& entry : fs::directory_iterator(find_subdir()))
      entries.push_back(entry.path());
    for (const fs::path& entry : entries)
      if (std::rename(entry.c_str(), (what_.target / entry.filename()).c_str()) != 0)
        throw SystemError(errno, "rename", entry.native());
  }

  /// The time of the commit for everything: the time of checking out would make another tree each time.
  void set_times() const {
    const std::string text = git({"show", "--no-patch", "--format=%ct", what_.version.commit});
    std::int64_t seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    const struct timespec times[2] = {{.tv_sec = seconds, .tv_nsec = 0}, {.tv_sec = seconds, .tv_nsec = 0}};
    const auto set = [&](const fs::path& path) {
      if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
        throw SystemError(errno, "set times of", path.native());
    };
    std::vector<fs::path> directories{what_.target};
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(what_.target)) {
      if (entry.is_directory() && !entry.is_symlink()) {
        directories.push_back(entry.path());
      } else {
        set(entry.path());
      }
    }
    for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) set(*directory);
  }

  const GitCheckout& what_;
  const std::stop_token& stop_;
  bool keeps_git_ = false;
  fs::path work_tree_, git_dir_;
};

}  // namespace

void check_out_tree(const GitCheckout& checkout, const std::stop_token& stop) {
  Checkout(checkout, stop).run();
}

}  // namespace slipway
