#pragma once
// What `--call` and `--check` print, for people and as JSON. The JSON has the field names of BuildKit's
// results of the same name, so that tools which read those (`docker buildx build --call=…,format=json`) read
// ours.
#include <string>
#include <vector>

#include "build/checks.h"

namespace slipway {

/// "Dockerfile:3:5: UndefinedVar: …" with the line for each, and how many there were.
std::string check_text(const CheckResult& result);
std::string check_json(const CheckResult& result);

std::string outline_text(const dockerfile::Outline& outline);
std::string outline_json(const dockerfile::Outline& outline, const std::string& dockerfile_text);

std::string targets_text(const std::vector<dockerfile::TargetEntry>& targets);
std::string targets_json(const std::vector<dockerfile::TargetEntry>& targets,
                         const std::string& dockerfile_text);

}  // namespace slipway
