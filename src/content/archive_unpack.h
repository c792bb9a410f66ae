#pragma once
// ADD of a local archive: what is in it becomes part of a tree. Not for images' layers, where names have
// other meanings (layers.h). Internal to the tree functions.
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/rooted.h"

namespace slipway {

/// Whether the file is a tar, plain or compressed by gzip, bzip2, xz or zstd; told by what is in it. An empty
/// archive counts as none. If it is compressed and too damaged to tell, its name does: what is called an
/// archive is one, so that it is not copied as if it were whole. Leaves the file's position at its start.
bool is_archive(int fd, std::string_view name);

struct UnpackOwner {
  std::optional<unsigned> uid, gid;  ///< absent: as in the archive
};

/// Unpacks as docker's ADD does: with `root` as "/", so that no name and no link leads out of it; a file or a
/// link there is replaced by what has its name, and a directory by what is none; directories merge and become
/// the archive's. Directories that the archive does not name are 0755 and root's. `shown` names the archive.
/// Throws InvalidInput, with the entry, for what is malformed, cut off or cannot be made, and for names that
/// begin with ".wh."; SystemError, Cancelled.
void unpack_archive(int fd, const RootedDir& root, const UnpackOwner& owner, const std::string& shown,
                    std::stop_token stop);

}  // namespace slipway
