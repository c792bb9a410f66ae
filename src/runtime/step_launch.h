#pragma once
// How a step's OCI runtime is started: by slipway-launch (launch/main.cc), a small program that is executed
// from memory and does what has to be done between the two.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "runtime/private_binfmt.h"
#include "runtime/resource_limits.h"
#include "runtime/step_cgroup.h"

namespace slipway {

/// One start. The order of the calls is the order of what is done.
class StepLaunch {
 public:
  /// `scratch`: a directory of the step's, for the program's report.
  explicit StepLaunch(const std::filesystem::path& scratch) : report_(scratch / "launch-report") {}

  /// Everything started from here on ends with a keeper (step_keeper.h).
  void keep();
  void join(const StepCgroup& group);
  /// Hard limits are lifted to what the step is to have, as far as we may; none is lowered.
  void raise(const ResourceLimits& limits);
  void enter(const PrivateBinfmt& binfmt);

  /// Makes `command`, which runs the runtime, one that runs it so. Its child keeps `inherited` open until it
  /// executes the runtime.
  void prepend_to(Command& command, int inherited = -1) const;
  /// Once the command has ended: what kept the runtime from being started, if that was emulation.
  std::optional<BinfmtEntryFailure> failure() const;

 private:
  std::vector<std::string> orders_;
  std::filesystem::path report_;
};

}  // namespace slipway
