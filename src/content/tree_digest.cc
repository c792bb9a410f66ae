// The digest of a selection: a walk lists what there is, the files' bytes are digested in parallel, and then
// the list is hashed in order. Every field has its length in front, so that no two different lists have the
// same bytes.
#include <sys/sysmacros.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "content/content_digest.h"
#include "content/file_bytes.h"
#include "content/kept_xattrs.h"
#include "content/owner_view.h"
#include "content/store.h"
#include "content/tree.h"
#include "content/tree_paths.h"
#include "content/tree_walk.h"

namespace slipway {
namespace {

struct ListedFile {
  std::size_t source = 0;
  TreeEntry entry;  ///< its descriptor is closed by now
  std::string target;
  Xattrs xattrs;
  std::optional<std::string> same_as;  ///< a hard link to an earlier one of the list
  std::optional<Digest> bytes;
};

using Inode = std::pair<dev_t, ino_t>;

std::int64_t nanoseconds(const struct timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

FileDigests::Identity identity_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = nanoseconds(status.st_mtim),
          .ctime_ns = nanoseconds(status.st_ctim)};
}

/// A file that was written a moment ago could be written again without its times changing: clocks of file
/// systems are coarse.
bool is_settled(const FileDigests::Identity& identity) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t limit = nanoseconds(now) - 2'000'000'000;
  return identity.mtime_ns < limit && identity.ctime_ns < limit;
}

Digest digest_of_file(const Selection& selection, const ListedFile& file, FileDigests* cache,
                      const std::stop_token& stop) {
  const FileDigests::Identity identity = identity_of(file.entry.status);
  const bool may_cache = cache && is_settled(identity);
  if (may_cache) {
    if (const auto known = cache->find(identity)) return *known;
  }
  const UniqueFd fd = selection.tree->open(file.entry.shown, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const Digest digest = digest_of_content(fd.get(), identity.size, file.entry.shown, stop);
  struct stat after {};
  if (may_cache && ::fstat(fd.get(), &after) == 0 && identity_of(after) == identity)
    cache->remember(identity, digest);
  return digest;
}

std::vector<ListedFile> list_selection(const Selection& selection, const std::vector<SelectedSource>& sources,
                                       bool of_context, const std::stop_token& stop) {
  std::vector<ListedFile> list;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::map<Inode, std::string> linked;  // of one source: copies of two are never links of one another
    const auto add = [&](const TreeEntry& entry) {
      ListedFile file{.source = i, .entry = entry, .target = {}, .xattrs = {}, .same_as = {}, .bytes = {}};
      if (entry.is_link()) file.target = link_target(entry.directory, entry.name, entry.shown);
      if (!of_context && (entry.is_directory() || entry.is_file()))
        file.xattrs = read_kept_xattrs(entry.open().get(), entry.shown);
      if (entry.is_file() && entry.status.st_nlink > 1) {
        const auto [at, first] =
            linked.try_emplace({entry.status.st_dev, entry.status.st_ino}, concat(i, "/", entry.relative));
        if (!first) file.same_as = at->second;
      }
      file.entry.directory = -1;
      list.push_back(std::move(file));
      return true;
    };
    walk_source(selection, sources[i], {.enter = add, .leave = {}}, stop);
  }
  return list;
}

/// Nothing may be thrown out of a task: the first error waits here until all have ended.
void digest_files(const Selection& selection, std::vector<ListedFile>& list, FileDigests* cache,
                  const std::stop_token& stop) {
  std::atomic<bool> failed{false};
  std::exception_ptr first;
  const auto digest_one = [&](std::size_t i) {
    ListedFile& file = list[i];
    if (failed || !file.entry.is_file() || file.same_as) return;
    try {
      file.bytes = digest_of_file(selection, file, cache, stop);
    } catch (...) {
      if (!failed.exchange(true)) first = std::current_exception();
    }
  };
  // Isolated: while it waits, this thread must not start another step of the build on top of this one.
  tbb::this_task_arena::isolate([&] { tbb::parallel_for(std::size_t{0}, list.size(), digest_one); });
  if (first) std::rethrow_exception(first);
}

class FieldHash {
 public:
  void text(std::string_view field) {
    number(field.size());
    hash_.update(field);
  }
  void number(std::uint64_t value) {
    char bytes[8];
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xFF);
      value >>= 8;
    }
    hash_.update(bytes, sizeof bytes);
  }
  Digest finish() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

void hash_entry(FieldHash& hash, const ListedFile& file, bool of_context) {
  struct stat status = file.entry.status;
  OwnerView().show(status);
  hash.number(file.source);
  hash.text(file.entry.relative);
  // Links have no mode of their own; what stat says of it differs between file systems.
  hash.number(file.entry.is_link() ? S_IFLNK : status.st_mode);
  if (!of_context) {
    hash.number(status.st_uid);
    hash.number(status.st_gid);
  }
  const bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  hash.number(is_device ? status.st_rdev : 0);
  hash.text(file.target);
  hash.number(file.xattrs.size());
  for (const auto& [name, value] : file.xattrs) {
    hash.text(name);
    hash.text(value);
  }
  hash.text(file.same_as ? "hard link" : file.bytes ? "bytes" : "");
  hash.text(file.same_as ? *file.same_as : file.bytes ? file.bytes->str() : "");
}

std::vector<SelectedEntry> entries_of(const std::vector<SelectedSource>& sources,
                                      const std::vector<ListedFile>& list) {
  std::vector<SelectedEntry> entries;
  for (const ListedFile& file : list) {
    const std::string& source = sources[file.source].named;
    const bool nested = !source.empty() && !file.entry.relative.empty();
    entries.push_back({.path = concat(source, nested ? "/" : "", file.entry.relative),
                       .mode = file.entry.is_link() ? S_IFLNK : file.entry.status.st_mode,
                       .content = file.same_as ? concat("hard link to ", *file.same_as)
                                  : file.bytes ? file.bytes->str()
                                               : file.target});
  }
  return entries;
}

}  // namespace

Digest digest_selection(const Selection& selection, bool of_context, FileDigests* cache, std::stop_token stop,
                        const SelectionListener& listener) {
  const std::vector<SelectedSource> sources = selected_sources(selection);
  std::vector<ListedFile> list = list_selection(selection, sources, of_context, stop);
  digest_files(selection, list, cache, stop);
  FieldHash hash;
  hash.text("slipway tree v1");
  hash.number(sources.size());
  for (const SelectedSource& source : sources) hash.text(base_name(source.named));
  hash.number(list.size());
  for (const ListedFile& file : list) hash_entry(hash, file, of_context);
  const Digest digest = hash.finish();
  if (listener) {
    SelectionSeen seen{.digest = digest, .sources = {}, .entries = [&] { return entries_of(sources, list); }};
    for (const SelectedSource& source : sources) seen.sources.push_back(source.named);
    listener(seen);
  }
  return digest;
}

}  // namespace slipway
