#include "runtime/sandbox.h"

#include <utility>

#include "base/strings.h"

namespace slipway {

std::string Sandbox::unkept(const StepLimits& limits) const {
  std::vector<std::string> parts;
  for (const auto& [asked, flag] :
       {std::pair(limits.memory > 0, "--memory"), std::pair(limits.cpus > 0, "--cpus"),
        std::pair(limits.pids > 0 && limits.pids_asked, "--pids-limit")})
    if (asked) parts.emplace_back(flag);
  if (!parts.empty()) parts.back() += " (steps have no control group of their own in this isolation)";
  if (limits.shm > 0) parts.emplace_back("--shm-size (/dev/shm is a directory on disk in this isolation)");
  return parts.empty() ? std::string() : concat("not kept here: ", join(parts, ", "));
}

std::unique_ptr<Sandbox> make_sandbox(Isolation isolation, const std::filesystem::path& state_directory,
                                      Logger& logger, const std::string& runtime) {
  switch (isolation) {
    case Isolation::Chroot:
      return make_chroot_sandbox(state_directory, logger);
    case Isolation::Proot:
      return make_proot_sandbox(state_directory, logger);
    case Isolation::Oci:
      break;
  }
  return make_crun_sandbox(state_directory, logger, runtime);
}

}  // namespace slipway
