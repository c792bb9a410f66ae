#pragma once
// Whether snapshots are as they were made. Private to this module.
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "content/ids.h"

namespace slipway {

class BlobStore;
class Database;
class SnapshotStore;

struct DamagedSnapshot {
  SnapshotId id;
  std::string what;  ///< a sentence that names it
};

/// Those whose files went missing or changed in size, time or permissions since, told by their outlines
/// (tree_outline.h); and those with a file whose bytes are not those of the blob that was made of it or that
/// it came from, if that is there and not one of `damaged_blobs`. What has neither outline nor blob is not
/// looked at, nor what this user may not read. Reads everything. Throws SystemError.
std::vector<DamagedSnapshot> find_damaged_snapshots(const SnapshotStore& snapshots, const BlobStore& blobs,
                                                    Database& database,
                                                    const std::set<Digest>& damaged_blobs);

}  // namespace slipway
