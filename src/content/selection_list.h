#pragma once
// What a selection covered at one moment, with what was in its files: of which the digest was taken, and
// from which a copy can be made that is true of it (copy_amend.h).
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "content/kept_xattrs.h"
#include "content/tree.h"
#include "content/tree_walk.h"

namespace slipway {

struct SelectedFile {
  std::size_t source = 0;
  TreeEntry entry;  ///< its descriptor is closed by now
  std::string target;
  Xattrs xattrs;                       ///< only where they are part of the digest
  std::optional<std::string> same_as;  ///< a hard link to an earlier one of the list
  std::optional<Digest> bytes;
};

/// Immutable once made.
struct SelectionList {
  std::vector<SelectedSource> sources;
  std::deque<SelectedFile> files;  ///< as walk_source() tells them, one source after the other
  Digest digest;                   ///< digest_selection() says over what
  std::int64_t began_ns = 0;       ///< file_clock_ns() before anything was looked at

  std::vector<SelectedEntry> entries() const;
};

/// As digest_selection(), which says what of it.
std::shared_ptr<const SelectionList> list_selection(const Selection& selection, bool of_context,
                                                    FileDigests* cache, const std::stop_token& stop);

}  // namespace slipway
