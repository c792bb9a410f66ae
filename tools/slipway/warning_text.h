#pragma once
// A warning as people read it.
#include <string>

#include "base/progress.h"

namespace slipway {

/// "Dockerfile:3:5: UndefinedVar: …" and the line with a caret, for a check; else the message. Not clean yet.
std::string warning_text(const Warned& warned);

}  // namespace slipway
