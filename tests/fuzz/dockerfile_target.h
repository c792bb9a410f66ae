#pragma once
// What is done with any bytes as a Dockerfile: by libFuzzer with ones it makes up, by a test with those of
// the corpus.
#include <string_view>

namespace slipway::testing {

/// Parses, reads and lowers the text for two platforms with a resolver that knows one image. An error of
/// slipway is a fine answer; aborts where one has no place in the text or what was read contradicts itself.
void try_dockerfile(std::string_view text);

}  // namespace slipway::testing
