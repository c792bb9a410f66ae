#pragma once
// What a user says about emulation: for everything, and for single platforms.
#include <map>
#include <string>
#include <vector>

#include "platforms/platform.h"

namespace slipway {

/// Auto: natively where this machine can, else emulated. Qemu: emulated wherever an emulator can. Never: an
/// error instead of emulation.
enum class EmulationPolicy { Auto, Qemu, Never };

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
