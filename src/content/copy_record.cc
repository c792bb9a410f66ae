#include "content/copy_record.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_set>

#include "base/error.h"
#include "base/strings.h"
#include "content/content_digest.h"
#include "content/file_bytes.h"
#include "content/file_identity.h"
#include "content/node_copy.h"

namespace slipway {

namespace {

/// Links have no mode of their own.
unsigned mode_of(const struct stat& status) { return S_ISLNK(status.st_mode) ? S_IFLNK : status.st_mode; }

bool is_device(unsigned mode) { return S_ISCHR(mode) || S_ISBLK(mode); }

/// Of an open(2) that says that something else is there, or something that cannot be read again: then nobody
/// can vouch for it. What is left are faults of the machine.
bool tells_of_the_copy(int error_number) {
  static constexpr std::array kErrors = {ENOENT, ENOTDIR, ELOOP, EISDIR, ENXIO, EINVAL, EACCES, EPERM};
  return std::ranges::find(kErrors, error_number) != kErrors.end();
}

}  // namespace

void CopyRecord::add(const TakenEntry& taken) {
  entries_.push_back({.relative = std::string(taken.relative),
                      .place = std::string(taken.place),
                      .mode = mode_of(taken.status),
                      .device = taken.status.st_rdev,
                      .has_more_names = S_ISREG(taken.status.st_mode) && taken.status.st_nlink > 1,
                      .identity = identity_of(taken.status)});
}

bool CopyRecord::is_like(const Entry& taken, const SelectedFile& listed) {
  return taken.relative == listed.entry.relative && taken.mode == mode_of(listed.entry.status) &&
         (!is_device(taken.mode) || taken.device == listed.entry.status.st_rdev);
}

/// For each entry the first of its source that was the same file, mostly itself. Nothing if these are not
/// those of the list: then hard links are in the copy, or are not, that the list does not tell of.
std::optional<CopyRecord::FirstNames> CopyRecord::first_names(const SelectionList& before) const {
  FirstNames firsts(entries_.size());
  std::map<std::tuple<std::size_t, std::uint64_t, std::uint64_t>, std::size_t> known;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const FileDigests::Identity& identity = entries_[i].identity;
    const std::size_t source = before.files[i].source;
    firsts[i] = i;
    if (entries_[i].has_more_names)
      firsts[i] = known.try_emplace({source, identity.device, identity.inode}, i).first->second;
    const std::optional<std::string> same_as =
        firsts[i] == i ? std::nullopt : std::optional(concat(source, "/", entries_[firsts[i]].relative));
    if (same_as != before.files[i].same_as) return std::nullopt;
  }
  return firsts;
}

// Directories need no look: what is in them is compared name by name. Places from the last to the first, as
// what is at one is what was put there last.
bool CopyRecord::is_of(const SelectionList& before, const SelectionList& after, const RootedDir& target,
                       const std::stop_token& stop) const {
  if (entries_.size() != before.files.size() || entries_.size() != after.files.size()) return false;
  const auto firsts = first_names(before);
  if (!firsts) return false;
  std::unordered_set<std::string_view> taken_later;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const Entry& taken = entries_[i];
    const SelectedFile& listed = before.files[i];
    if (!is_like(taken, listed)) return false;
    const FileDigests::Identity identity = identity_of(listed.entry.status);
    const bool is_another =
        taken.identity != identity || identity_of(after.files[i].entry.status) != identity;
    if (taken.place.empty()) {
      if (is_another) return false;
      continue;
    }
    const bool stays = before.sources.size() == 1 || taken_later.insert(taken.place).second;
    if (!stays || (!is_another && !may_change_unseen(identity, before.began_ns))) continue;
    if (!is_there(taken, listed, before.files[(*firsts)[i]].bytes, target, stop)) return false;
  }
  return true;
}

bool CopyRecord::is_there(const Entry& taken, const SelectedFile& listed, const std::optional<Digest>& bytes,
                          const RootedDir& target, const std::stop_token& stop) {
  if (!listed.entry.is_link() && !bytes) return true;
  try {
    const RootedDir::Parent at = target.open_parent(taken.place);
    if (listed.entry.is_link()) return link_target(at.directory.get(), at.name, taken.place) == listed.target;
    const UniqueFd copy = open_own(at.directory.get(), at.name, O_RDONLY | O_NONBLOCK, taken.place);
    const auto size = static_cast<std::uint64_t>(listed.entry.status.st_size);
    return digest_of_content(copy.get(), size, taken.place, stop) == *bytes;
  } catch (const SystemError& e) {
    if (!tells_of_the_copy(e.error_number())) throw;
    return false;
  }
}

}  // namespace slipway
