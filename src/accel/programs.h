#pragma once
// The two small programs that accelerated steps need, as bytes. For hosts that are neither amd64 nor arm64
// there are none, and nothing is accelerated.
#include <string>
#include <string_view>

namespace slipway {

/// slipway-exec (exec/main.cc), for graft(); empty where there is none.
std::string_view slipway_exec_program();

/// The shared object whose uname(2) says `machine` (shim/uname.cc); empty where there is none. Throws
/// InvalidInput for a name that is too long.
std::string uname_shim(std::string_view machine);

}  // namespace slipway
