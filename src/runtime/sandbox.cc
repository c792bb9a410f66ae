#include "runtime/sandbox.h"

#include "base/strings.h"

namespace slipway {

std::string Sandbox::unkept(const StepLimits& limits) const {
  if (limits.memory == 0 && limits.cpus == 0) return "";
  return "not kept: steps have no control group of their own in this isolation";
}

std::unique_ptr<Sandbox> make_sandbox(Isolation isolation, const std::filesystem::path& state_directory,
                                      Logger& logger, const std::string& runtime) {
  switch (isolation) {
    case Isolation::Chroot:
      return make_chroot_sandbox(logger);
    case Isolation::Proot:
      return make_proot_sandbox(logger);
    case Isolation::Oci:
      break;
  }
  return make_crun_sandbox(state_directory, logger, runtime);
}

}  // namespace slipway
