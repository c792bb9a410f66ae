#pragma once
// The system calls that a build step may not make. The capabilities that a step lacks refuse most of them
// already; the filter is for those that need none, or that open doors in the kernel which no build has
// business with.
#include <nlohmann/json_fwd.hpp>

namespace slipway {

/// The "seccomp" object of an OCI runtime config.
nlohmann::json seccomp_profile();

}  // namespace slipway
