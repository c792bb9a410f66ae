#pragma once
// A snapshot's changes as the entries of a layer. Internal to layers.
#include <filesystem>
#include <stop_token>

#include "content/ids.h"
#include "content/layer_tar.h"
#include "content/snapshots.h"

namespace slipway {

/// Writes every entry, not the end. Throws Cancelled, SystemError that names the path.
void pack_snapshot(SnapshotStore& snapshots, SnapshotId snapshot, LayerTar& tar, const std::stop_token& stop);

/// The directory itself, under its own name, and all that is in it; nothing is below it.
void pack_directory(const std::filesystem::path& directory, LayerTar& tar, const std::stop_token& stop);

}  // namespace slipway
