#pragma once
// What one snapshot changed, laid over another base: COPY --link. Nothing is copied, files get a second name;
// the layer of the snapshot is the layer of what is made of it.
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "content/ids.h"

namespace slipway {

class Store;

/// Told of each directory of the base whose owner or mode the laid-over one has changed.
using DirectoryChanged = std::function<void(const std::string& sentence)>;

/// A snapshot that stands on `base` and changes what `upper` and its ancestors change, as their layers would
/// when an image is unpacked: a directory merges with a directory and takes its place in owner, mode and
/// time; anything else replaces what has its name; links of the base are replaced, never followed. Without a
/// base, that is `upper` itself. layer_of() gives what it gives for `upper`. Throws NotFound if a snapshot is
/// not there, SystemError, Cancelled; nothing remains then.
SnapshotId merge_snapshot(Store& store, const std::optional<SnapshotId>& base, SnapshotId upper,
                          std::int64_t created, const DirectoryChanged& changed, std::stop_token stop);

struct StackedSnapshots {
  std::optional<SnapshotId> top;  ///< the base if there were no layers
  bool left_out = false;          ///< whiteouts of what no lower tree has are not in it, but in its layers
};

/// The same for the changes of `layers` alone, whatever they stand on, on `base` or on nothing.
StackedSnapshots stack_snapshots(Store& store, std::optional<SnapshotId> base,
                                 const std::vector<SnapshotId>& layers, std::int64_t created,
                                 const DirectoryChanged& changed, std::stop_token stop);

}  // namespace slipway
