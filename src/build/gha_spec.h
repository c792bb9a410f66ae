#pragma once
// What --cache-from and --cache-to say of a cache in GitHub Actions' service.
#include "build/attributes.h"
#include "cache/gha_cache.h"

namespace slipway {

/// Takes scope=, url=, url_v2=, token=, version= and timeout=; what is not said is taken from the environment
/// that runs of Actions have. `flag` begins the messages of what it throws: UsageError, with a hint where the
/// environment lacks something.
GhaCache::Options take_gha(Attributes& attributes, const char* flag);

}  // namespace slipway
