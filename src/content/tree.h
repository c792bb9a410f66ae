#pragma once
// Copying and digesting parts of trees: what COPY reads, from a context directory or from another snapshot.
// One selection rule serves both, so what was digested is what is copied.
#include <sys/stat.h>

#include <ctime>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/mode_change.h"
#include "base/rooted.h"
#include "content/patterns.h"

namespace slipway {

class FileDigests;

/// Which part of a tree. Paths are within the tree's root.
struct Selection {
  const RootedDir* tree = nullptr;
  std::string src;  ///< may hold wildcards if allow_wildcard
  bool allow_wildcard = true;
  bool allow_empty_wildcard = false;
  bool follow_symlink = true;  ///< of src itself
  bool copy_dir_contents = true;
  bool of_store = false;  ///< the tree is slipway's own, not the caller's: unreadable files are opened up
  const PatternMatcher* ignored = nullptr;  ///< of the whole tree (.dockerignore), or null
  /// What is in the directory src, by paths relative to it; src itself is asked about by neither. Null: all,
  /// none.
  const PatternMatcher* included = nullptr;
  const PatternMatcher* excluded = nullptr;
  std::vector<std::string> required;  ///< relative to src: each must be selected, or something in it
};

/// What src names, after wildcards; paths relative to the root, sorted. Throws NotFound when nothing is
/// selected; its message says whether the path does not exist or was excluded by .dockerignore, and by which
/// pattern.
std::vector<std::string> resolve_selection(const Selection& selection);

/// What a path with Go filepath.Match wildcards names, each relative to the root, sorted; nothing matches,
/// none. Links in front of the first wildcard are followed, others are not. Throws InvalidInput for a bad
/// pattern.
std::vector<std::string> matching_paths(const RootedDir& tree, const std::string& pattern);

/// One thing that a selection covers.
struct SelectedEntry {
  std::string path;  ///< within the tree, as the selection's source names it
  unsigned mode = 0;
  std::string content;  ///< digest of a file's bytes, target of a link; empty for the rest
};

/// Digest over relative names, types, modes, link targets and bytes of what is selected, and which
/// files are hard links of one another; owners and xattrs too unless `of_context`; not mtimes. `cache`
/// (may be null) saves re-reading files whose identity (device, inode, size, mtime, ctime) it knows; a file
/// changed within the last two seconds is always read. Throws NotFound as above.
Digest digest_selection(const Selection& selection, bool of_context, FileDigests* cache,
                        const std::stop_token& stop);

struct CopyOptions {
  std::string dest;                  ///< within the target; a trailing '/' means a directory
  std::optional<unsigned> uid, gid;  ///< absent: as in the source
  /// Whoever owns the source's files, they count as root's, and extended attributes stay behind: a context.
  bool source_is_roots = false;
  std::optional<unsigned> mode;             ///< also of directories made on the way, without its upper bits
  std::optional<ModeChange> mode_change;  ///< instead of `mode`; not of directories made on the way
  bool create_dest_path = true;
  bool for_layer = true;  ///< false: names that would delete in a layer are names like any other
  /// A source that is an archive (archive_unpack.h) is unpacked into the directory `dest` instead: with its
  /// own modes, and its owners unless `uid` and `gid` say others.
  bool attempt_unpack = false;
  /// For directories made on the way (create_dest_path); absent: now.
  std::optional<std::int64_t> made_mtime;
  /// For all that is copied, in place of the source's time.
  std::optional<struct timespec> mtime;
};

/// How the one directory that a copy took was copied: enough to amend it (copy_amend.h).
struct CopiedDirectory {
  std::string place;    ///< of that directory, from the target's root, without links
  bool is_new = false;  ///< it was not there, nor made on the way
  std::size_t entries = 0;  ///< that were copied, with itself
  CopyOptions options;  ///< that hold whatever `dest` said
};

/// Something that a copy takes, as it is told when it is about to.
struct TakenEntry {
  std::string_view relative;  ///< to the source; "" is the source itself
  const struct stat& status;  ///< what it was then
  std::string_view place;     ///< where it goes, from the target's root, without links; empty: it is unpacked
};
using CopyListener = std::function<void(const TakenEntry&)>;

/// Copies what is selected into `target`, whose existing links are followed within it only, those that `dest`
/// itself names too. Modes, mtimes, xattrs (security.capability too), fifos and device nodes are kept, and
/// hard links within one source; sockets are skipped. Uses FICLONE or copy_file_range. As BuildKit does: a
/// directory that dest names keeps its owner and mode, or has those of directories made on the way, and gets
/// the source's time; those further down become the source's, but one that is only on the way to what
/// Selection::included selects, and was there, takes no more than its mode. A file replaces a file or a link;
/// a directory over a file or a link, and a file over a directory, are InvalidInput. Throws NotFound as
/// above, Cancelled, SystemError; InvalidInput for names that begin with ".wh.", which are deletions in
/// layers.
///
/// Says how it was done if the selection was one directory. `listener` may be empty.
std::optional<CopiedDirectory> copy_selection(const Selection& selection, const RootedDir& target,
                                              const CopyOptions& options, std::stop_token stop,
                                              const CopyListener& listener = {});

}  // namespace slipway
