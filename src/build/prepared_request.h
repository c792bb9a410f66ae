#pragma once
// A build's request with every default decided, and what its outputs ask of the build.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "build/assemble.h"
#include "build/build_request.h"
#include "build/build_run.h"
#include "build/outputs.h"

namespace slipway {

struct PreparedRequest {
  std::vector<OutputSpec> outputs;
  AssembleOptions assemble;
};

/// Throws UsageError for what contradicts itself, or cannot be written where it should go: what can be known
/// of that is told before the build, not after it.
PreparedRequest prepare(const BuildRequest& request);
/// The Dockerfile's own SOURCE_DATE_EPOCH, if the request has none. Throws UsageError.
void use_epoch_of_dockerfile(PreparedRequest& prepared, const std::optional<std::int64_t>& epoch);

/// The names of all image outputs (of those that `only` is set of), each once.
std::vector<ImageRef> image_names(const PreparedRequest& prepared, bool OutputSpec::*only = nullptr);
std::vector<ImageRef> pushed_names(const PreparedRequest& prepared);
/// True if an output is an image, or a layout with one.
bool has_image(const PreparedRequest& prepared);
/// False if every output is type=cacheonly.
bool has_output(const PreparedRequest& prepared);
/// What the outputs need of results that are known in caches only. A push needs none: what the registry has
/// or can mount is not fetched.
RunHooks::Needs needs_of(const PreparedRequest& prepared);
/// The publishing step, for people.
std::string publish_name(const PreparedRequest& prepared);
bool wants_inline_cache(const BuildRequest& request);

}  // namespace slipway
