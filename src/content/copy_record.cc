#include "content/copy_record.h"

#include <fcntl.h>

#include "base/error.h"
#include "content/content_digest.h"
#include "content/file_identity.h"
#include "content/file_bytes.h"

namespace slipway {

namespace {

/// Links have no mode of their own.
unsigned mode_of(const struct stat& status) { return S_ISLNK(status.st_mode) ? S_IFLNK : status.st_mode; }

}  // namespace

void CopyRecord::add(const TakenEntry& taken) {
  entries_.push_back({.relative = std::string(taken.relative),
                      .place = std::string(taken.place),
                      .mode = mode_of(taken.status),
                      .identity = identity_of(taken.status)});
}

// Directories need no look: what is in them is compared name by name.
bool CopyRecord::is_of(const SelectionList& before, const SelectionList& after, const RootedDir& target,
                       const std::stop_token& stop) const {
  if (entries_.size() != before.files.size() || entries_.size() != after.files.size()) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& taken = entries_[i];
    const SelectedFile& listed = before.files[i];
    if (taken.relative != listed.entry.relative || taken.mode != mode_of(listed.entry.status)) return false;
    const FileDigests::Identity identity = identity_of(listed.entry.status);
    const bool is_another =
        taken.identity != identity || identity_of(after.files[i].entry.status) != identity;
    if (taken.place.empty() && is_another) return false;
    if (taken.place.empty() || (!is_another && !may_change_unseen(identity, before.began_ns))) continue;
    if (!is_there(taken, listed, target, stop)) return false;
  }
  return true;
}

bool CopyRecord::is_there(const Entry& taken, const SelectedFile& listed, const RootedDir& target,
                          const std::stop_token& stop) {
  try {
    if (listed.entry.is_link()) {
      const RootedDir::Parent at = target.open_parent(taken.place);
      return link_target(at.directory.get(), at.name, taken.place) == listed.target;
    }
    if (!listed.bytes) return true;  // no file, or another name of an earlier one
    const UniqueFd copy = target.open(taken.place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const auto size = static_cast<std::uint64_t>(listed.entry.status.st_size);
    return digest_of_content(copy.get(), size, taken.place, stop) == *listed.bytes;
  } catch (const SystemError&) {  // it cannot be read again: nobody can vouch for it
    return false;
  }
}

}  // namespace slipway
