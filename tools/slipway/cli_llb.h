#pragma once
// `slipway build --llb` and `--print-llb`: graphs from and to files.
#include <string>

#include "build/build_request.h"
#include "slipway/command.h"

namespace slipway {

/// The definition in a file; "-" is stdin. Throws UsageError that says what is wrong with it.
Definition read_definition(const std::string& file);

/// Builds nothing. `where` is "-" for stdout, "json" for all of it as text to stdout, or a file; of several
/// platforms each has a file of its own, FILE.linux_arm64. Throws UsageError, and as a build's first half
/// does.
int print_llb(const std::string& where, const BuildRequest& request, CommandContext& context);

}  // namespace slipway
