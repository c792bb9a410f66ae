#pragma once
// Owners of the store's files, on the disk and as images have them: the one place that knows the difference.
// Root, also root of a user namespace, sees no difference. Anybody else can own files only himself, and those
// stand for root's: what other owners an image has is lost.
#include <sys/stat.h>
#include <sys/types.h>

namespace slipway {

/// A value, of this process as it is now.
class OwnerView {
 public:
  OwnerView();
  /// True if every file becomes root's.
  bool squashes() const { return uid_ != 0; }
  /// True if no file can be given to another than root: as above, or in a user namespace with one id.
  bool knows_root_only() const;
  /// Puts the owner that an image has in the place of that on the disk.
  void show(struct stat& status) const;
  /// fchownat(2) with an image's owner: 0 or -1 and errno (EPERM or EINVAL if this process cannot give to
  /// that one).
  int give(int directory, const char* name, uid_t uid, gid_t gid, int flags) const noexcept;

 private:
  uid_t uid_;
};

}  // namespace slipway
