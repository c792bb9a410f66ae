#pragma once
// Layers: a snapshot's changes as a tar blob, both ways (OCI image-spec layer.md: whiteouts ".wh.NAME",
// opaque
// ".wh..wh..opq"). Packing is one bounded pipeline (walk -> tar -> digest -> gzip blocks in parallel ->
// digest -> blob).
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/digest.h"
#include "content/ids.h"
#include "content/step_locks.h"
#include "manifest/oci.h"

namespace slipway {

class Store;

enum class Compression { None, Gzip, Zstd };

struct LayerOptions {
  Compression compression = Compression::Gzip;
  int level = -1;  ///< -1: the default of the compression
  /// rewrite-timestamp: modification times after this are set to it (seconds since the epoch).
  std::optional<std::int64_t> clamp_mtime;
  /// Puts the blob of a base image's layer that the store has lost into it again, or throws Error. Empty:
  /// there is nowhere to fetch it from. No part of the key.
  std::function<void(const Descriptor& layer, const std::stop_token& stop)> fetch_again = {};
  /// What the store's layer records are kept under: equal options give equal bytes.
  std::string key() const;
};

struct Layer {
  Descriptor descriptor;
  Digest diff_id;  ///< digest of the uncompressed tar (config.md, rootfs.diff_ids)
};

/// The snapshot's layer, from the store if it was packed before, else packed now. The layer of a snapshot
/// that unpack_layer() made is handed on as it came, whatever `options` say: a base image keeps its digests. Only
/// if its blob is lost and cannot be fetched again it is packed anew, with a warning.
/// Packed once, however many ask for it at a time: the others wait.
/// Deterministic: the same tree gives the same bytes, on any machine and with any number of threads. Throws
/// Cancelled, SystemError.
Layer layer_of(Store& store, SnapshotId snapshot, const LayerOptions& options, std::stop_token stop);

/// Unpacks a layer blob (tar, gzip or zstd, told by its bytes) above `parent`, checks its diff_id, and
/// records the result under its chain id (config.md, "Layer ChainID"), so that a second call finds it.
/// Entries never land outside the root. Throws InvalidInput for a malformed layer, IntegrityError for another
/// diff_id. `created` is when the snapshot counts as made, in seconds since the epoch; nothing: now.
SnapshotId unpack_layer(Store& store, const std::optional<SnapshotId>& parent, const Layer& layer,
                        std::stop_token stop, const std::optional<std::int64_t>& created = {});

/// The snapshot that unpack_layer() recorded under this chain id, if it is still there: nothing need be
/// fetched then.
std::optional<SnapshotId> find_unpacked(Store& store, const Digest& chain);

/// For who is to fetch and unpack the layer that makes this chain: while he holds it, all others that need
/// the same wait here, whatever image or cache they have it from, and find it unpacked. Nobody waits for
/// anything of the kind while holding one. Throws Cancelled, SystemError.
StepLock take_unpack_turn(Store& store, const Digest& chain, const std::stop_token& stop);

/// Turns a root file system archive (tar, any compression libarchive reads) into a layer blob that is put in
/// the store: names cleaned, owners kept numeric. Entries that make no sense in a layer (sockets, the device
/// nodes in dev/) are dropped. Throws InvalidInput for what is no tar, or for names that lead out of it.
Layer import_tar_as_layer(Store& store, int tar_fd, const LayerOptions& options, std::stop_token stop);

/// ChainID(L0..Ln) of config.md.
Digest chain_id(const std::optional<Digest>& parent_chain, const Digest& diff_id);

}  // namespace slipway
