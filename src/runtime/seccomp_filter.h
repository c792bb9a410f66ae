#pragma once
// A seccomp profile as the program that the kernel runs for each system call. Compiling takes libseccomp as
// long as all else that starts a step, so it is done once a process and not by the runtime for each step.
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace slipway {

/// Classic BPF (seccomp(2), struct sock_filter) for a "seccomp" object of an OCI runtime config. Names that
/// this machine does not know are passed over, as runtimes do. Throws SystemError.
std::string compile_seccomp(const nlohmann::json& profile);

/// seccomp_profile(), compiled once, in base64. Thread-safe.
const std::string& seccomp_filter_base64();

}  // namespace slipway
