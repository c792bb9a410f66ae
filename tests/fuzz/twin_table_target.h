#pragma once
// What is done with any bytes as a table of native twins: by libFuzzer with ones it makes up, by a test with
// those of the corpus.
#include <string_view>

namespace slipway::testing {

/// What follows "glibc-ld.so.cache" is a loader's cache, what is before it a table. Looks up every program that the table
/// has, makes up arguments and environment for each, and holds its guards against the cache, as slipway-exec does. Aborts where what was counted and what was written differ; sanitizers see what is read
/// outside of the table.
void try_twin_table(std::string_view input);

}  // namespace slipway::testing
