#pragma once
// What is done with any bytes as a table of native twins: by libFuzzer with ones it makes up, by a test with
// those of the corpus.
#include <string_view>

namespace slipway::testing {

/// Looks up every program that the table has, and makes up arguments and environment for each, as
/// slipway-exec does. Aborts where what was counted and what was written differ; sanitizers see what is read
/// outside of the table.
void try_twin_table(std::string_view bytes);

}  // namespace slipway::testing
