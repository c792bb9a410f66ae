#pragma once
// From an LLB definition that somebody else made to what a build runs: images pinned, one lane, and whatever
// slipway cannot do refused, before anything happens.
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "dockerfile/lower.h"
#include "graph/definition.h"

namespace slipway {

/// What the definition reads of this machine: local sources by name, each with the patterns (as in a
/// .dockerignore) of what is left out. Throws UsageError for a source that is read in two ways.
std::map<std::string, std::vector<std::string>> local_sources(const Definition& definition);

struct DefinitionOptions {
  std::optional<Platform> platform;  ///< of the image; absent: that of its steps, or the host's
  bool no_cache = false;
  /// By the name of the store: images that are asked for as "oci-layout://…".
  std::map<std::string, std::string> layouts;
};

/// One lane, whose image config says no more than the platform and a PATH. An operation keeps its digest
/// unless it, or what it reads, had to be made another: an image without a digest, or by its index; a local
/// source that is used as a tree. Throws UsageError that names the operation, and as the resolver does.
dockerfile::Lowered lower_definition(const Definition& definition, const DefinitionOptions& options,
                                     dockerfile::ImageResolver& resolver, std::stop_token stop);

}  // namespace slipway
