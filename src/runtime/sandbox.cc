#include "runtime/sandbox.h"

namespace slipway {

std::unique_ptr<Sandbox> make_sandbox(Isolation isolation, const std::filesystem::path& state_directory,
                                      Logger& logger) {
  switch (isolation) {
    case Isolation::Chroot:
      return make_chroot_sandbox(logger);
    case Isolation::Proot:
      return make_proot_sandbox(logger);
    case Isolation::Oci:
      break;
  }
  return make_crun_sandbox(state_directory, logger);
}

}  // namespace slipway
