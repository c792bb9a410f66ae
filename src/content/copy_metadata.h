#pragma once
// Owner, mode, attributes and times of what copying makes. Internal to the tree functions.
#include <string>

#include "content/kept_xattrs.h"
#include "content/owner_view.h"
#include "content/tree.h"
#include "content/tree_walk.h"

namespace slipway {

/// A place in the target that is about to be written.
struct CopyPlace {
  int directory = -1;
  std::string name;
  std::string shown;
};

/// Sets things in the order in which they do not undo each other: chown clears the set-user-id bits and file
/// capabilities.
class CopyMetadata {
 public:
  /// `options` outlives this.
  explicit CopyMetadata(const CopyOptions& options) : options_(options) {}

  struct Made {
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    struct timespec mtime {};
  };
  /// What finish() makes of a source like that.
  Made made_of(const struct stat& source) const;

  /// All there is, for a regular file or a directory that is open.
  void finish(int fd, const CopyPlace& place, const TreeEntry& entry, const Xattrs& xattrs) const;
  /// The same for anything else, by name.
  void finish_special(const CopyPlace& place, const TreeEntry& entry) const;
  /// Only the source's permissions, whatever --chmod says.
  static void take_mode(int fd, const CopyPlace& place, const TreeEntry& entry);
  /// Only the source's times, or those that are given.
  void take_times(int fd, const CopyPlace& place, const TreeEntry& entry) const;

 private:
  void own(const CopyPlace& place, const struct stat& from) const;
  mode_t mode_for(const struct stat& from) const;
  const CopyOptions& options_;
  const OwnerView owners_;
};

}  // namespace slipway
