#pragma once
// A snapshot's changes as the entries of a layer. Internal to layers.
#include <stop_token>

#include "content/ids.h"
#include "content/layer_tar.h"
#include "content/snapshots.h"

namespace slipway {

/// Writes every entry, not the end. Throws Cancelled, SystemError that names the path.
void pack_snapshot(SnapshotStore& snapshots, SnapshotId snapshot, LayerTar& tar, const std::stop_token& stop);

}  // namespace slipway
