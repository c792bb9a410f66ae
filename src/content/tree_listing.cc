#include "content/tree_listing.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include "base/error.h"
#include "base/strings.h"
#include "content/file_bytes.h"
#include "content/node_copy.h"
#include "content/overlay_marks.h"

namespace slipway {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
/// Twice what a path can name. Each level holds a descriptor and a part of the stack.
constexpr int kMostLevels = 4096;

struct timespec time_of(const struct statx_timestamp& time) {
  return {.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
}

class Lister {
 public:
  explicit Lister(const std::stop_token& stop) : stop_(stop) {}

  ListedEntry stat_entry(int directory, const std::string& name, const std::string& path) {
    struct statx found {};
    const int flags = AT_SYMLINK_NOFOLLOW | (name.empty() ? AT_EMPTY_PATH : 0);
    if (::statx(directory, name.c_str(), flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0)
      throw SystemError(errno, "stat", path);
    ListedEntry entry{.name = name, .xattrs = {}, .contents = {}};
    entry.status.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor);
    entry.status.st_ino = found.stx_ino;
    entry.status.st_mode = found.stx_mode;
    entry.status.st_nlink = found.stx_nlink;
    entry.status.st_uid = found.stx_uid;
    entry.status.st_gid = found.stx_gid;
    entry.status.st_rdev = makedev(found.stx_rdev_major, found.stx_rdev_minor);
    entry.status.st_size = static_cast<off_t>(found.stx_size);
    entry.status.st_atim = time_of(found.stx_atime);
    entry.status.st_mtim = time_of(found.stx_mtime);
    entry.status.st_ctim = time_of(found.stx_ctime);
    if (found.stx_mask & STATX_BTIME) entry.born = nanoseconds(time_of(found.stx_btime));
    return entry;
  }

  void fill(int directory, ListedEntry& entry, const std::string& path, int level) {
    if (stop_.stop_requested()) throw Cancelled{};
    if (level > kMostLevels)
      throw InvalidInput(concat("directories are nested more than ", kMostLevels, " deep"));
    entry.xattrs = read_xattrs(directory, path, is_step_xattr);
    const std::vector<std::string> names = sorted_names(directory, path.empty() ? "/" : path);
    entry.contents.reserve(names.size());
    for (const std::string& name : names) {
      const std::string child = concat(path, "/", name);
      ListedEntry found = stat_entry(directory, name, child);
      if (is_whiteout(found.status)) continue;
      ListedEntry& listed = entry.contents.emplace_back(std::move(found));
      if (listed.is_directory())
        fill(open_own(directory, name, O_RDONLY | O_DIRECTORY, child).get(), listed, child, level + 1);
    }
  }

 private:
  const std::stop_token& stop_;
};

struct CtimeRange {
  std::int64_t newest = 0;
  bool fractions = false;  ///< false: the file system's times are whole seconds
  void add(const ListedEntry& entry) {
    newest = std::max(newest, nanoseconds(entry.status.st_ctim));
    fractions |= entry.status.st_ctim.tv_nsec != 0;
    for (const ListedEntry& inner : entry.contents) add(inner);
  }
};

}  // namespace

std::int64_t nanoseconds(const struct timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

bool ListedEntry::is_same_inode(const ListedEntry& other) const {
  return status.st_dev == other.status.st_dev && status.st_ino == other.status.st_ino && born == other.born &&
         (status.st_mode & S_IFMT) == (other.status.st_mode & S_IFMT);
}

const ListedEntry* ListedEntry::find(const std::string& wanted) const {
  const auto at = std::ranges::lower_bound(contents, wanted, {}, &ListedEntry::name);
  return at != contents.end() && at->name == wanted ? &*at : nullptr;
}

ListedEntry list_tree(int directory, const std::stop_token& stop) {
  Lister lister(stop);
  ListedEntry root = lister.stat_entry(directory, "", "/");
  lister.fill(directory, root, "", 0);
  return root;
}

void wait_for_later_ctimes(const ListedEntry& listing) {
  CtimeRange ctimes;
  ctimes.add(listing);
  const std::int64_t tick = ctimes.fractions ? 0 : kSecond - 1;
  // A clock that was set back must not keep us here: then ctimes differ anyway.
  const auto limit =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(ctimes.fractions ? 100 : 1100);
  while (std::chrono::steady_clock::now() < limit) {
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (nanoseconds(now) > ctimes.newest + tick) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace slipway
