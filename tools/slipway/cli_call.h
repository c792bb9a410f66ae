#pragma once
// `slipway build --call=METHOD` and `--check`: looks at a Dockerfile and builds nothing.
#include <optional>
#include <string>

#include "build/build_request.h"
#include "slipway/command.h"

namespace slipway {

struct CallSpec {
  enum class Method { Build, Check, Outline, Targets };
  Method method = Method::Build;
  bool json = false;
  bool ignore_status = false;  ///< exit 0 whatever was found
};

/// "check", "outline,format=json"… as buildx has it; "lint" is check. Throws UsageError.
CallSpec parse_call(const std::string& text);

/// Prints to stdout what was asked, to stderr what could not be looked at. Returns 1 if a check found
/// something. Throws what would stop a build.
int run_call(const CallSpec& call, const BuildRequest& request, CommandContext& context);

}  // namespace slipway
