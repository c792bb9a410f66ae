#include "content/copy_amend.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <ranges>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "content/content_digest.h"
#include "content/copy_metadata.h"
#include "content/file_bytes.h"
#include "content/lower_view.h"

namespace slipway {

namespace {

using Item = CopiedList::Item;

/// "a/b" comes before "a.b", as a directory's contents come before what follows it.
bool comes_before(std::string_view one, std::string_view other) {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return std::lexicographical_compare(one.begin(), one.end(), other.begin(), other.end(),
                                      [&](char a, char b) { return rank(a) < rank(b); });
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

struct Difference {
  std::vector<std::string> gone;  ///< without what was in a directory that is gone itself
  std::vector<std::size_t> put;   ///< places in the list: new, or not what they were
};

/// Both lists are in the order of one walk.
Difference difference_of(const CopiedList& earlier, const CopiedList& now) {
  Difference difference;
  const auto remove = [&gone = difference.gone](const std::string& path) {
    if (gone.empty() || !is_below(path, gone.back())) gone.push_back(path);
  };
  std::size_t e = 0, n = 0;
  while (e < earlier.items.size() || n < now.items.size()) {
    const Item* was = e < earlier.items.size() ? &earlier.items[e] : nullptr;
    const Item* is = n < now.items.size() ? &now.items[n] : nullptr;
    if (was && is && was->path == is->path) {
      if (!was->is_same_as(*is)) {
        if (was->is_directory != is->is_directory) remove(was->path);
        difference.put.push_back(n);
      }
      ++e, ++n;
    } else if (was && (!is || comes_before(was->path, is->path))) {
      remove(was->path);
      ++e;
    } else {
      difference.put.push_back(n++);
    }
  }
  return difference;
}

struct CannotAmend {};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

class Amendment {
 public:
  Amendment(const RootedDir& from, const SelectionList& list, const RootedDir& target,
            const CopiedDirectory& how, LowerDirectory below, const std::stop_token& stop)
      : from_(from),
        list_(list),
        target_(target),
        how_(how),
        metadata_(how.options),
        below_(std::move(below)),
        stop_(stop) {}

  void make(const Difference& difference) {
    for (const std::string& path : difference.gone) remove(path);
    for (const std::size_t index : difference.put) put(list_.files[index]);
    finish_directories();
  }

 private:
  std::string in_target(const std::string& path) const {
    return path.empty() ? how_.place : how_.place.empty() ? path : concat(how_.place, "/", path);
  }
  static std::string shown(const std::string& target_path) { return concat("/", target_path); }

  /// What the trees below the copy have there.
  std::optional<LowerDirectory::Found> below(const std::string& path) const {
    LowerDirectory directory = below_;
    std::string rest = in_target(path);
    for (std::size_t slash; (slash = rest.find('/')) != std::string::npos; rest.erase(0, slash + 1))
      directory = directory.enter(rest.substr(0, slash));
    return directory.find(rest);
  }

  /// Where the earlier copy hid something, that would come back.
  void remove(const std::string& path) {
    if (path.empty() || below(path)) throw CannotAmend{};
    const RootedDir::Parent parent = target_.open_parent(in_target(path));
    remove_tree(std::filesystem::path(concat("/proc/self/fd/", parent.directory.get())) / parent.name);
    touched_.insert(parent_of(path));
  }

  void put(const SelectedFile& file) {
    if (stop_.stop_requested()) throw Cancelled{};
    const TreeEntry& entry = file.entry;
    if (how_.options.for_layer && entry.name.starts_with(".wh.")) throw CannotAmend{};
    const RootedDir::Parent parent = target_.open_parent(in_target(entry.relative));
    const CopyPlace place{
        .directory = parent.directory.get(), .name = parent.name, .shown = shown(in_target(entry.relative))};
    struct stat existing {};
    const bool is_there =
        ::fstatat(place.directory, place.name.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there && S_ISDIR(existing.st_mode) != entry.is_directory()) throw CannotAmend{};
    if (entry.is_directory()) {
      if (!is_there && ::mkdirat(place.directory, place.name.c_str(), 0700) != 0)
        throw SystemError(errno, "mkdir", place.shown);
      touched_.insert(entry.relative);
      if (is_there) return;
    } else {
      if (is_there && ::unlinkat(place.directory, place.name.c_str(), 0) != 0)
        throw SystemError(errno, "unlink", place.shown);
      if (entry.is_file())
        copy_file(file, place);
      else
        make_special(file, place);
    }
    touched_.insert(parent_of(entry.relative));
  }

  void copy_file(const SelectedFile& file, const CopyPlace& place) {
    const UniqueFd source = from_.open(file.entry.shown, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (::fstat(source.get(), &status) != 0) throw SystemError(errno, "stat", file.entry.shown);
    if (!S_ISREG(status.st_mode)) throw CannotAmend{};
    const UniqueFd to{::openat(place.directory, place.name.c_str(),
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!to) throw SystemError(errno, "create", place.shown);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    copy_bytes(source.get(), to.get(), size, place.shown, stop_);
    if (digest_of_content(to.get(), size, place.shown, stop_) != file.bytes) throw CannotAmend{};
    metadata_.finish(to.get(), place, file.entry, {});
  }

  void make_special(const SelectedFile& file, const CopyPlace& place) const {
    const struct stat& status = file.entry.status;
    const int result = file.entry.is_link()
                           ? ::symlinkat(file.target.c_str(), place.directory, place.name.c_str())
                           : ::mknodat(place.directory, place.name.c_str(), (status.st_mode & S_IFMT) | 0600,
                                       status.st_rdev);
    if (result != 0) throw SystemError(errno, file.entry.is_link() ? "symlink" : "mknod", place.shown);
    metadata_.finish_special(place, file.entry);
  }

  /// Contents before the directories that hold them, whose times they would change.
  void finish_directories() const {
    std::map<std::string_view, const TreeEntry*> entries;
    for (const SelectedFile& file : list_.files)
      if (file.entry.is_directory()) entries.emplace(file.entry.relative, &file.entry);
    for (const std::string& path : touched_ | std::views::reverse) {
      const auto found = entries.find(path);
      if (found == entries.end()) throw CannotAmend{};
      finish_directory(*found->second);
    }
  }

  void finish_directory(const TreeEntry& entry) const {
    const std::string path = in_target(entry.relative);
    const UniqueFd directory = target_.open(path, O_RDONLY | O_DIRECTORY);
    const CopyPlace place{.directory = directory.get(), .name = ".", .shown = shown(path)};
    if (entry.relative.empty() && !how_.is_new)
      metadata_.take_times(directory.get(), place, entry);
    else if (entry.only_on_the_way && below(entry.relative))
      CopyMetadata::take_mode(directory.get(), place, entry);
    else
      metadata_.finish(directory.get(), place, entry, {});
  }

  const RootedDir& from_;
  const SelectionList& list_;
  const RootedDir& target_;
  const CopiedDirectory& how_;
  const CopyMetadata metadata_;
  const LowerDirectory below_;
  const std::stop_token& stop_;
  std::set<std::string> touched_;  ///< directories, relative to the place
};

/// What copying costs, in bytes.
std::uint64_t weight_of(const SelectedFile& file) {
  constexpr std::uint64_t kEntry = 4096;
  return kEntry + (file.entry.is_file() ? static_cast<std::uint64_t>(file.entry.status.st_size) : 0);
}

/// What is different from the earlier copy is made anew each time, until all is copied again.
bool is_worth_it(const Difference& difference, const SelectionList& list) {
  std::uint64_t all = 0, different = 4096 * difference.gone.size();
  for (const SelectedFile& file : list.files) all += weight_of(file);
  for (const std::size_t index : difference.put) different += weight_of(list.files[index]);
  return different <= all / 8;
}

}  // namespace

std::optional<SnapshotId> amend_copy(SnapshotStore& snapshots, const EarlierCopy& earlier,
                                     const RootedDir& from, const SelectionList& list,
                                     const std::function<CopyOptions(const RootedDir& target)>& options,
                                     std::int64_t created, const std::stop_token& stop) {
  try {
    ActiveSnapshot active = snapshots.prepare_amending(earlier.snapshot, stop);
    {
      // Names of users are asked of the tree with the earlier copy in it: if that makes a difference, nothing
      // is as it was.
      const RootedDir target(active.root());
      const CopiedDirectory how{
          .place = earlier.list.place, .is_new = earlier.list.place_is_new, .options = options(target)};
      const auto now = CopiedList::of(list, how);
      if (!now) return std::nullopt;
      const Difference difference = difference_of(earlier.list, *now);
      if (!is_worth_it(difference, list)) return std::nullopt;
      const auto below = snapshots.layer_parts(earlier.snapshot).below;
      Amendment(from, list, target, how, LowerDirectory::root_of(snapshots, below), stop).make(difference);
    }
    return snapshots.commit(std::move(active), created);
  } catch (const CannotAmend&) {
    return std::nullopt;
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace slipway
