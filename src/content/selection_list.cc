// The list and the digest of a selection: a walk lists what there is, the files' bytes are digested in
// parallel to it, and then the list is hashed in order. Every field has its length in front, so that no two
// different lists have the same bytes.
#include <sys/sysmacros.h>
#include <tbb/task_group.h>

#include <map>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/synchronized.h"
#include "content/content_digest.h"
#include "content/cpu_slots.h"
#include "content/file_bytes.h"
#include "content/file_identity.h"
#include "content/owner_view.h"
#include "content/selection_list.h"
#include "content/store.h"
#include "content/tree.h"
#include "content/tree_paths.h"
#include "content/tree_walk.h"

namespace slipway {
namespace {

using Inode = std::pair<dev_t, ino_t>;

/// Looking at files is most of a walk; this many are worth the threads.
constexpr std::size_t kLookAhead = 256;

Digest digest_of_file(const Selection& selection, const SelectedFile& file, FileDigests* cache,
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

/// Files as they are listed, digested in batches while the walk goes on. One thread adds; nothing may be
/// thrown out of a task, so the first error waits here until all have ended.
class FileDigester {
 public:
  FileDigester(const Selection& selection, FileDigests* cache, const std::stop_token& stop)
      : selection_(selection), cache_(cache), stop_(stop) {}
  ~FileDigester() { group_.wait(); }

  /// `file` stays where it is until finish() has returned.
  void add(SelectedFile& file) {
    batch_.push_back(&file);
    if (batch_.size() == kBatch) start_batch();
  }
  void finish() {
    start_batch();
    group_.wait();
    if (auto error = *first_error_.lock()) std::rethrow_exception(error);
  }

 private:
  static constexpr std::size_t kBatch = 256;

  void start_batch() {
    group_.run([this, files = std::exchange(batch_, {})] {
      try {
        for (SelectedFile* file : files) {
          if (*first_error_.lock()) return;
          file->bytes = digest_of_file(selection_, *file, cache_, stop_);
        }
      } catch (...) {
        auto error = first_error_.lock();
        if (!*error) *error = std::current_exception();
      }
    });
  }

  const Selection& selection_;
  FileDigests* const cache_;
  const std::stop_token& stop_;
  std::vector<SelectedFile*> batch_;
  Synchronized<std::exception_ptr> first_error_;
  tbb::task_group group_;
};

/// What the walk finds, in its order, each file's bytes digested.
std::deque<SelectedFile> list_files(const Selection& selection, const std::vector<SelectedSource>& sources,
                                    bool of_context, FileDigests* cache, const std::stop_token& stop) {
  std::deque<SelectedFile> list;
  FileDigester digester(selection, cache, stop);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::map<Inode, std::string> linked;  // of one source: copies of two are never links of one another
    const auto add = [&](const TreeEntry& entry) {
      SelectedFile& file = list.emplace_back();
      file.source = i;
      file.entry = entry;
      file.entry.directory = -1;
      if (entry.is_link()) file.target = link_target(entry.directory, entry.name, entry.shown);
      if (!of_context && (entry.is_directory() || entry.is_file()))
        file.xattrs = read_kept_xattrs(entry.open().get(), entry.shown);
      if (!entry.is_file()) return true;
      if (entry.status.st_nlink > 1) {
        const auto [at, first] =
            linked.try_emplace({entry.status.st_dev, entry.status.st_ino}, concat(i, "/", entry.relative));
        if (!first) file.same_as = at->second;
      }
      if (!file.same_as) digester.add(file);
      return true;
    };
    walk_source(selection, sources[i], {.enter = add, .leave = {}, .look_ahead = kLookAhead}, stop);
  }
  digester.finish();
  return list;
}

/// Gathers its many small fields: each update of the hash has a price of its own.
class FieldHash {
 public:
  void text(std::string_view field) {
    number(field.size());
    add(field);
  }
  void number(std::uint64_t value) {
    char bytes[8];
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xFF);
      value >>= 8;
    }
    add({bytes, sizeof bytes});
  }
  Digest finish() {
    hash_.update(pending_);
    return hash_.finish();
  }

 private:
  void add(std::string_view bytes) {
    pending_ += bytes;
    if (pending_.size() < kEnough) return;
    hash_.update(pending_);
    pending_.clear();
  }

  static constexpr std::size_t kEnough = 64 << 10;
  std::string pending_;
  Sha256 hash_;
};

void hash_entry(FieldHash& hash, const SelectedFile& file, const OwnerView& owners, bool of_context) {
  struct stat status = file.entry.status;
  owners.show(status);
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

Digest digest_list(const std::vector<SelectedSource>& sources, const std::deque<SelectedFile>& files,
                   bool of_context) {
  const OwnerView owners;
  FieldHash hash;
  hash.text("slipway tree v1");
  hash.number(sources.size());
  for (const SelectedSource& source : sources) hash.text(base_name(source.named));
  hash.number(files.size());
  for (const SelectedFile& file : files) hash_entry(hash, file, owners, of_context);
  return hash.finish();
}

}  // namespace

std::vector<SelectedEntry> SelectionList::entries() const {
  std::vector<SelectedEntry> entries;
  for (const SelectedFile& file : files) {
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

std::shared_ptr<const SelectionList> list_selection(const Selection& selection, bool of_context,
                                                    FileDigests* cache, const std::stop_token& stop) {
  const std::int64_t began = file_clock_ns();
  std::vector<SelectedSource> sources = selected_sources(selection);
  return in_cpu_slot([&] {
    std::deque<SelectedFile> files = list_files(selection, sources, of_context, cache, stop);
    Digest digest = digest_list(sources, files, of_context);
    return std::make_shared<const SelectionList>(SelectionList{.sources = std::move(sources),
                                                               .files = std::move(files),
                                                               .digest = std::move(digest),
                                                               .began_ns = began});
  });
}

Digest digest_selection(const Selection& selection, bool of_context, FileDigests* cache,
                        const std::stop_token& stop) {
  return list_selection(selection, of_context, cache, stop)->digest;
}

}  // namespace slipway
