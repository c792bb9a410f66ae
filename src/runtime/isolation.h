#pragma once
// What keeps a step apart from the machine: three tiers, of which the best one that the machine allows is
// taken.
#include <optional>
#include <string>
#include <string_view>

namespace slipway {

enum class Isolation {
  Oci,     ///< namespaces, mounts, seccomp: a container, by an OCI runtime
  Chroot,  ///< chroot(2) and dropped capabilities: needs root, but no namespace and no mount
  Proot,   ///< Debian's proot (ptrace): needs no privilege at all
};

std::string_view name_of(Isolation isolation);
/// "auto" (or nothing) is nothing. Throws UsageError.
std::optional<Isolation> parse_isolation(std::string_view text);

/// The best tier that needs no namespaces, for this process as it is; nothing if there is none.
std::optional<Isolation> isolation_without_namespaces();
/// Throws HostError naming what is missing if this process cannot have it. Only for the tiers without
/// namespaces.
void require_isolation(Isolation isolation);

/// The sentence that tells a user what fell back to what. `refusal`: why there are no namespaces.
std::string isolation_notice(Isolation isolation, std::string_view refusal);

}  // namespace slipway
