#pragma once
// What a user says about emulation: for everything, and for single platforms.
#include <map>
#include <string>
#include <vector>

#include "platforms/platform.h"

namespace slipway {

enum class EmulationPolicy {
  Auto,  ///< natively where this machine can, else emulated, by native twins where there are any (accel/)
  Accelerated,  ///< the same, and an error where there are none
  Qemu,         ///< emulated wherever an emulator can, all of it by the emulator
  Verify,       ///< Auto, but each emulated step runs once more as Qemu would, and must give the same bytes
  Never,        ///< an error instead of emulation
};

/// Whether native twins may stand in for a target's programs.
constexpr bool uses_twins(EmulationPolicy policy) {
  return policy != EmulationPolicy::Qemu && policy != EmulationPolicy::Never;
}

class EmulationPolicies {
 public:
  /// One policy for every platform. Implicit: that is what most callers have.
  EmulationPolicies(EmulationPolicy everywhere = EmulationPolicy::Auto) : everywhere_(everywhere) {}

  /// --emulation's values, each a comma list of POLICY or PLATFORM=POLICY; a later one wins. Throws
  /// UsageError.
  static EmulationPolicies parse(const std::vector<std::string>& texts);

  EmulationPolicy of(const Platform& platform) const;

 private:
  EmulationPolicy everywhere_;
  std::map<Platform, EmulationPolicy> single_;
};

}  // namespace slipway
