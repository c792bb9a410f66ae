#pragma once
#include <string>

namespace slipway {

enum class ProgressMode { Plain, Tty, RawJson, Quiet, None };

/// --progress, else BUILDKIT_PROGRESS, else auto: a live view if stderr is a terminal, plain lines if not.
/// Throws UsageError.
ProgressMode choose_progress(const std::string& flag);

}  // namespace slipway
