#pragma once
// Which step of an earlier build is the same place in the Dockerfile as which of a later one.
#include <optional>
#include <string>
#include <vector>

#include "history/record.h"

namespace slipway {

/// "[linux/arm64 build 2/3] RUN make" -> "RUN make".
std::string instruction_of(const std::string& step_name);
/// "[linux/arm64 build 2/3] RUN make" -> "build 2": the same place whatever the platforms and the length of
/// the stage. Empty for names that are not of that form.
std::string place_of(const std::string& step_name);

/// Whether a platform needs both.
bool share_platform(const StepRecord& a, const StepRecord& b);

/// For each step of `after` the index of its counterpart in `before`: by key, then by instruction, then by
/// place. No step is the counterpart of two.
std::vector<std::optional<std::size_t>> match_steps(const BuildRecord& before, const BuildRecord& after);

}  // namespace slipway
