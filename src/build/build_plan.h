#pragma once
// What a build would do: which steps have results, here or in caches, and what the keys of the others are
// made of. Runs nothing, and writes nothing to the store but what is fetched of remote contexts and files.
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "build/build_request.h"
#include "content/store.h"
#include "history/hider.h"
#include "history/record.h"
#include "registry/client.h"

namespace slipway {

struct PlannedBuild {
  BuildRecord record;                         ///< its steps end "cached", or say nothing
  std::map<std::string, FileList> manifests;  ///< of what the steps read of contexts, by name
  std::vector<std::string> warnings;          ///< of caches that cannot be used
};

/// `start` has what is known of the build. Of caches outside the store only the documents are read. Throws as
/// the first half of run_build() does.
PlannedBuild plan_build(const BuildRequest& request, BuildRecord start, Store& store,
                        RegistryClient& registry, std::stop_token stop);

}  // namespace slipway
