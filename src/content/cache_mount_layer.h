#pragma once
// What is in a cache mount (cache_mounts.h) as a layer, and back: so it travels with a layer cache.
#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "content/layers.h"

namespace slipway {

/// What it takes on disk. Throws Cancelled, SystemError.
std::uint64_t size_of_cache_mount(const std::filesystem::path& copy, std::stop_token stop);

/// Packs the directory, with its own owner and mode, into a blob of the store. Nobody may write to it
/// meanwhile. Deterministic. Throws Cancelled, SystemError, InvalidInput for a name that cannot be packed.
Layer pack_cache_mount(Store& store, const std::filesystem::path& copy, const LayerOptions& options,
                       std::stop_token stop);

/// Unpacks a blob of the store, made by the above or by whoever says so, as "new" in `parent`; there is
/// nothing of it there if that throws. Throws InvalidInput, IntegrityError, Cancelled, SystemError.
void unpack_cache_mount(Store& store, const Layer& layer, const std::filesystem::path& parent,
                        std::stop_token stop);

}  // namespace slipway
