#pragma once
// Compresses one piece of a layer by itself. The results, one after another, are a valid gzip or zstd file.
#include <string>
#include <string_view>

#include "content/layers.h"

namespace slipway {

/// Stateless, so any number of threads may use it; the same piece always gives the same bytes. `level` -1 is
/// the default of the compression. Throws InvalidInput for a level that there is not.
std::string compress_chunk(std::string_view chunk, Compression compression, int level);
/// The level that -1 stands for.
int default_level(Compression compression);

}  // namespace slipway
