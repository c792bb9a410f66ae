#pragma once
// --metadata-file and --iidfile: what a build made, or why it did not, for programs. Keys that buildx writes
// keep its names; ours are under "slipway".
#include <filesystem>
#include <string>

#include "base/error.h"
#include "build/build_request.h"

namespace slipway {

std::string metadata_json(const BuildResult& result);
/// {"slipway":{"error":{kind,message,exitCode,file,line,log}}}
std::string metadata_json(const Error& error);
std::string cancelled_metadata_json();
/// The image's id as buildx has it: the config's digest for one platform, else the index's.
std::string image_id(const BuildResult& result);
/// "usage", "invalid-input", "not-found", "denied", "transport", "integrity", "host", "system",
/// "build-failed".
std::string error_kind(const Error& error);

}  // namespace slipway
