#pragma once
// What slipway.toml says of collecting garbage, as policies for a store.
#include <cstdint>
#include <vector>

#include "content/gc.h"
#include "slipway/config_file.h"

namespace slipway {

/// `file_system` is the size of the store's, of which parts are told. Without policies of its own a section
/// gets those that BuildKit has; without limits, also its limits. None if it is off.
std::vector<GcPolicy> gc_policies(const GcSetting& setting, std::uint64_t file_system);

}  // namespace slipway
