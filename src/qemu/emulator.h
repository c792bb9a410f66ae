#pragma once
// User-mode emulators: where they are, what they run, and how a kernel is told to use them. Nothing here ever
// touches the host's binfmt_misc table.
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platforms/platform.h"

namespace slipway {

enum class EmulationPolicy { Auto, Qemu, Never };

struct Emulator {
  std::filesystem::path program;  ///< static: it must run inside any root
  std::string name;               ///< "qemu-aarch64"
  std::string version;            ///< "7.2.22"
};

/// How programs of a target platform run on this host.
struct Execution {
  enum class Kind { Native, HostBinfmt, PrivateBinfmt };
  Kind kind = Kind::Native;
  std::optional<Emulator> emulator;  ///< PrivateBinfmt; HostBinfmt if known
  /// The line for binfmt_misc's `register` file, flags PF (PrivateBinfmt only). Kernel docs,
  /// admin-guide/binfmt-misc.rst.
  std::string registration;
  /// "emulated by qemu-aarch64 7.2.22"; empty if native.
  std::string describe() const;
};

struct EmulatorSearch {
  std::vector<std::filesystem::path>
      directories;  ///< --qemu-dir, SLIPWAY_QEMU_DIR first, then PATH and /usr/bin
  std::filesystem::path binfmt_directory = "/proc/sys/fs/binfmt_misc";  ///< a seam for tests
  bool ignore_host_binfmt = false;  ///< SLIPWAY_PRIVATE_BINFMT=1: tests use the private table always
  static EmulatorSearch from_environment();
};

/// Native, else a right host registration, else a private one. Throws HostError naming the package to install
/// if there is no emulator, or saying that --emulation=never forbids it. EmulationPolicy::Qemu prefers the
/// emulator even where the host could run the target otherwise (but never for the host's own platform).
Execution choose_execution(const Platform& host, const Platform& target, EmulationPolicy policy,
                           const EmulatorSearch& search);

}  // namespace slipway
