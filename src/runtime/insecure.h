#pragma once
// What a step that is not confined (RUN --security=insecure) gets beyond what every step has.
#include <filesystem>
#include <string>
#include <vector>

namespace slipway {

/// The capabilities that this process has, as "CAP_…": nobody can give more. Those that this list has no name
/// for are left out.
std::vector<std::string> own_capabilities();

/// Device nodes of this machine for virtual machines, FUSE, tunnels and loop mounts; those that are there.
std::vector<std::filesystem::path> insecure_devices();

}  // namespace slipway
