#include "content/owner_view.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace slipway {

OwnerView::OwnerView() : uid_(::geteuid()) {}

void OwnerView::show(struct stat& status) const {
  // The group too, whatever it is: a directory above may hand its own on.
  if (squashes() && status.st_uid == uid_) status.st_uid = status.st_gid = 0;
}

int OwnerView::give(int directory, const char* name, uid_t uid, gid_t gid, int flags) const noexcept {
  if (!squashes() || uid == uid_) return ::fchownat(directory, name, uid, gid, flags);
  if (uid == 0 && gid == 0) return 0;
  errno = EPERM;
  return -1;
}

}  // namespace slipway
