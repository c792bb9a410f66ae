#pragma once
#include <string>

#include "build/build_request.h"

namespace slipway {

/// The table of platforms that ends a build: digest, size, how it ran, time. Pure.
std::string summary_text(const BuildResult& result);
/// The same on stderr.
void print_summary(const BuildResult& result);

}  // namespace slipway
