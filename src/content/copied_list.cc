#include "content/copied_list.h"

#include <algorithm>

#include "base/digest.h"
#include "base/strings.h"
#include "content/copy_metadata.h"
#include "content/file_identity.h"

namespace slipway {

namespace {

constexpr std::string_view kHeader = "slipway copied files 3\n";

CopiedList::Mark mark_of(const SelectedFile& file, const CopyMetadata& metadata) {
  const struct stat& status = file.entry.status;
  const CopyMetadata::Made made = metadata.made_of(status);
  const bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
  Sha256 hash;
  hash.update(concat(file.entry.only_on_the_way ? "on the way " : "", status.st_mode & S_IFMT, " ", made.mode,
                     " ", made.uid, " ", made.gid, " ", made.mtime.tv_sec, " ", made.mtime.tv_nsec, " ",
                     is_device ? status.st_rdev : 0, " ", file.bytes ? file.bytes->str() : file.target));
  const auto whole = hash.finish_raw();
  CopiedList::Mark mark{};
  std::copy_n(whole.begin(), mark.size(), mark.begin());
  return mark;
}

}  // namespace

std::optional<CopiedList> CopiedList::of(const SelectionList& list, const CopiedDirectory& how) {
  if (list.sources.size() != 1) return std::nullopt;
  const CopyMetadata metadata(how.options);
  CopiedList copied{.place = how.place, .place_is_new = how.is_new, .items = {}};
  copied.items.reserve(list.files.size());
  for (const SelectedFile& file : list.files) {
    if (file.same_as) return std::nullopt;
    copied.items.push_back({.path = file.entry.relative,
                            .is_directory = file.entry.is_directory(),
                            .mark = mark_of(file, metadata)});
  }
  return copied;
}

// What came and went meanwhile, and may have been copied, has changed the directory that it was in.
bool CopiedList::forget_changed(const SelectionList& before, const SelectionList& after) {
  if (after.files.size() != items.size()) return false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const FileDigests::Identity now = identity_of(after.files[i].entry.status);
    if (now == identity_of(before.files[i].entry.status) && is_settled(now)) continue;
    if (items[i].is_directory) return false;
    items[i].mark = {};
  }
  return true;
}

// The header, 'n' for a new place or '-', how many items there are and the place, each with a NUL; then of each item 'd' or '-', the mark, the path and a NUL.
std::string CopiedList::bytes() const {
  std::string bytes(kHeader);
  bytes.push_back(place_is_new ? 'n' : '-');
  const auto add_text = [&](const std::string& text) { bytes.append(text).push_back('\0'); };
  add_text(std::to_string(items.size()));
  add_text(place);
  for (const Item& item : items) {
    bytes.push_back(item.is_directory ? 'd' : '-');
    bytes.append(item.mark.begin(), item.mark.end());
    add_text(item.path);
  }
  return bytes;
}

std::optional<CopiedList> CopiedList::parse(std::string_view bytes) {
  if (!bytes.starts_with(kHeader) || bytes.size() == kHeader.size()) return std::nullopt;
  const bool is_new = bytes[kHeader.size()] == 'n';
  bytes.remove_prefix(kHeader.size() + 1);
  const auto take_text = [&]() -> std::optional<std::string> {
    const std::size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    std::string text(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
    return text;
  };
  const auto count = take_text();
  auto place = take_text();
  if (!count || !place) return std::nullopt;
  CopiedList list{.place = std::move(*place), .place_is_new = is_new, .items = {}};
  while (!bytes.empty()) {
    Item item{.path = {}, .is_directory = bytes.front() == 'd'};
    if (bytes.size() < 1 + item.mark.size()) return std::nullopt;
    std::copy_n(bytes.begin() + 1, item.mark.size(), item.mark.begin());
    bytes.remove_prefix(1 + item.mark.size());
    auto path = take_text();
    if (!path) return std::nullopt;
    item.path = std::move(*path);
    list.items.push_back(std::move(item));
  }
  if (std::to_string(list.items.size()) != *count) return std::nullopt;
  return list;
}

}  // namespace slipway
