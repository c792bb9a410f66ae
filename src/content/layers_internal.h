#pragma once
// What the parts of layers share.
#include <functional>
#include <stop_token>
#include <string_view>

#include "content/layers.h"

namespace slipway {

/// The variant under which the database keeps the layer that a snapshot was unpacked from.
inline constexpr std::string_view kPulledVariant = "pulled";

std::string_view layer_media_type(Compression compression);

/// Runs work that waits for TBB tasks of its own, so that the waiting thread takes none but those: another
/// step of the build on top of this one could need what this one holds.
void run_in_isolation(const std::function<void()>& work);

template <class Work>
auto in_isolation(const Work& work) {
  std::optional<decltype(work())> result;
  run_in_isolation([&] { result.emplace(work()); });
  return std::move(*result);
}

class LayerReader;
class UnpackTarget;
struct LayerEntry;

/// All entries of a layer, with clean names. `check` refuses those that the caller does not want. Throws
/// InvalidInput, Cancelled, SystemError.
void unpack_entries(LayerReader& reader, UnpackTarget& target, const std::stop_token& stop,
                    const std::function<void(const LayerEntry&)>& check = {});

}  // namespace slipway
