#pragma once
// A /proc for steps that have none: chroot(2) alone brings no mount. Programs that ask for the machine find
// copies of what it says; what is about processes (/proc/self, /proc/PID) is not there.
#include <filesystem>

namespace slipway {

/// Fills an empty directory. `proc` is "/proc" but in tests; what cannot be read there is left out.
void copy_proc_files(const std::filesystem::path& proc, const std::filesystem::path& directory);

}  // namespace slipway
