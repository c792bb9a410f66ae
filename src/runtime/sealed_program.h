#pragma once
// Programs that are executed from memory.
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace slipway {

/// A copy in memory that nobody can change (memfd_create(2), all seals), to be executed as /proc/self/fd/N.
/// No descriptor if the kernel does not allow that (sysctl vm.memfd_noexec).
UniqueFd sealed_program(std::string_view bytes, const char* name);

}  // namespace slipway
