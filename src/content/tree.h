#pragma once
// Copying and digesting parts of trees: what COPY reads, from a context directory or from another snapshot.
// One selection rule serves both, so what was digested is what is copied.
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
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
  const PatternMatcher* ignored = nullptr;   ///< of the whole tree (.dockerignore), or null
  const PatternMatcher* excluded = nullptr;  ///< relative to src (--exclude), or null
};

/// What src names, after wildcards; paths relative to the root, sorted. Throws NotFound when nothing is
/// selected; its message says whether the path does not exist or was excluded by .dockerignore, and by which
/// pattern.
std::vector<std::string> resolve_selection(const Selection& selection);

/// Digest over relative names, types, modes, link targets, xattrs and bytes of what is selected, and which
/// files are hard links of one another; owners too unless `ignore_owners` (contexts); not mtimes. `cache`
/// (may be null) saves re-reading files whose identity (device, inode, size, mtime, ctime) it knows; a file
/// changed within the last two seconds is always read. Throws NotFound as above.
Digest digest_selection(const Selection& selection, bool ignore_owners, FileDigests* cache,
                        std::stop_token stop);

struct CopyOptions {
  std::string dest;                  ///< within the target; a trailing '/' means a directory
  std::optional<unsigned> uid, gid;  ///< absent: as in the source
  std::optional<unsigned> mode;
  bool create_dest_path = true;
  /// For directories made on the way (create_dest_path); absent: now.
  std::optional<std::int64_t> made_mtime;
};

/// Copies what is selected into `target`, whose existing links are followed within it only. Modes, mtimes,
/// xattrs (security.capability too), hard links within the selection, fifos and device nodes are kept;
/// sockets are skipped. Uses FICLONE or copy_file_range. A directory over an existing directory merges; a
/// file replaces a file; a directory over a file and a file over a directory are InvalidInput. Throws
/// NotFound as above, Cancelled, SystemError.
void copy_selection(const Selection& selection, const RootedDir& target, const CopyOptions& options,
                    std::stop_token stop);

}  // namespace slipway
