#pragma once
// What is done with any bytes as an LLB definition: by libFuzzer with ones it makes up, by a test with those
// of the corpus.
#include <string_view>

namespace slipway::testing {

/// Decodes them as a definition and as a single operation. What is taken must come back the same when it is
/// written and read again, with the digests of the bytes that came; aborts if it does not. Only InvalidInput
/// is allowed.
void try_llb(std::string_view bytes);

}  // namespace slipway::testing
