#pragma once
// What the parts of layers share.
#include <functional>
#include <stop_token>
#include <string_view>

#include "content/layers.h"

namespace slipway {

/// What a chain is recorded under. Where files can be nobody's but root's its tree lacks owners, so who can
/// keep owners must not find it.
Digest chain_here(const Digest& chain);

/// The variant under which the database keeps the layer that a snapshot was unpacked from.
inline constexpr std::string_view kPulledVariant = "pulled";

std::string_view layer_media_type(Compression compression);

/// The step lock (step_locks.h) that is held while a snapshot's layer is packed.
Digest pack_turn(SnapshotId snapshot, std::string_view variant);

class LayerReader;
class UnpackTarget;
struct LayerEntry;

/// All entries of a layer, with clean names. `check` refuses those that the caller does not want. Throws
/// InvalidInput, Cancelled, SystemError.
void unpack_entries(LayerReader& reader, UnpackTarget& target, const std::stop_token& stop,
                    const std::function<void(const LayerEntry&)>& check = {});

}  // namespace slipway
