#pragma once
// The system calls that a build step may make, as containers have it by default everywhere: what no program
// of an image has business with is refused, also where the capabilities that a step lacks would refuse it.
#include <nlohmann/json_fwd.hpp>

namespace slipway {

/// The "seccomp" object of an OCI runtime config.
nlohmann::json seccomp_profile();

}  // namespace slipway
