#pragma once
// Linux capabilities as bit sets (capabilities(7)).
#include <cstdint>

namespace slipway {

/// Bit N is capability N.
using CapabilitySet = std::uint64_t;

constexpr CapabilitySet capability_bit(unsigned capability) { return CapabilitySet{1} << capability; }

/// What this process may do now.
CapabilitySet effective_capabilities();
bool has_capability(unsigned capability);

/// What a step has where nothing but these and chroot(2) holds it: the ecosystem's default, without the right
/// to leave the root again.
CapabilitySet chroot_step_capabilities();

/// Makes `keep` all that this process, a root one, has and can ever get. Async-signal-safe. Returns 0 or an
/// errno.
int limit_capabilities(CapabilitySet keep) noexcept;

}  // namespace slipway
