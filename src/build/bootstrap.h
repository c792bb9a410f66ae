#pragma once
// Base images out of Debian packages: mmdebstrap makes the tree, slipway the image. Maintainer scripts of a
// foreign architecture run under QEMU in a binfmt_misc of their own; the host's table is not touched.
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "build/assemble.h"
#include "content/store.h"
#include "manifest/image_ref.h"
#include "qemu/emulator.h"

namespace slipway {

struct BootstrapRequest {
  std::string suite = "bookworm";
  std::string mirror;  ///< empty: as apt on this host is configured
  std::vector<Platform> platforms;
  std::vector<std::string> include;   ///< packages besides the base set
  bool extract_only = false;          ///< unpack only: no maintainer script, no emulation
  std::optional<std::int64_t> epoch;  ///< SOURCE_DATE_EPOCH
};

/// One image a platform, made one after the other. Throws UsageError (a platform Debian has no port of, a bad
/// package name), HostError naming the package to install if mmdebstrap or the emulator is missing,
/// BuildFailed with mmdebstrap's last lines.
std::vector<AssembledImage> bootstrap_debian(const BootstrapRequest& request, Store& store,
                                             const EmulatorSearch& emulators, ProgressSink& progress,
                                             std::stop_token stop);

}  // namespace slipway
