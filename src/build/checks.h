#pragma once
// Calls that look at a Dockerfile and build nothing: its checks, its outline, its targets.
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "build/build_inputs.h"
#include "dockerfile/lint_report.h"
#include "dockerfile/lower.h"
#include "dockerfile/outline.h"

namespace slipway {

/// lower() for a build: what the checks find is told as events, also if lowering then throws. Throws
/// InvalidInput if that is to fail the build.
dockerfile::Lowered lower_and_tell(const dockerfile::Dockerfile& file, dockerfile::LowerOptions options,
                                   dockerfile::ImageResolver& resolver, ProgressSink& progress,
                                   std::stop_token stop);

struct CheckResult {
  std::string filename, text;  ///< of the Dockerfile
  std::vector<dockerfile::LintHit> hits;
  std::vector<std::string> notes;  ///< what could not be looked at, and other warnings
  std::exception_ptr error;        ///< an Error that would stop a build, if there is one
  bool clean() const { return hits.empty() && !error; }
};

/// Checks all stages, or those that the request's target needs. An image that cannot be had is noted. The
/// inputs are loaded; what is wrong in the Dockerfile is in the result.
CheckResult check_dockerfile(BuildInputs& inputs, std::stop_token stop);

struct OutlineResult {
  std::string text;  ///< of the Dockerfile
  dockerfile::Outline outline;
  std::vector<std::string> notes;
};
/// Throws as lowering does, but for images that cannot be had.
OutlineResult outline_dockerfile(BuildInputs& inputs, std::stop_token stop);

}  // namespace slipway
