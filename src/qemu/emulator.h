#pragma once
// User-mode emulators: where they are, what they run, and how a kernel is told to use them. Nothing here ever
// touches the host's binfmt_misc table (host_table.h does, when asked to).
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platforms/platform.h"
#include "qemu/emulation_policy.h"

namespace slipway {

struct Emulator {
  std::filesystem::path program;  ///< static: it must run inside any root
  std::string name;               ///< "qemu-aarch64"
  std::string version;            ///< "7.2.22"
};

/// The flags it is registered with, at least: P and F, or F alone if it is older than QEMU 6. Those do not
/// know that the kernel keeps argv[0] for them and would take it for the program.
std::string_view flags_for(const Emulator& emulator);

/// Whether it knows the property pauth-impdef of its processor `max`: QEMU for AArch64, from 6 on.
bool has_cheap_pointer_codes(const Emulator& emulator);

/// How programs of a target platform run on this host.
struct Execution {
  enum class Kind { Native, HostBinfmt, PrivateBinfmt };
  Kind kind = Kind::Native;
  std::optional<Emulator> emulator;  ///< PrivateBinfmt; HostBinfmt if known
  /// The line for binfmt_misc's `register` file, flags PFC (PrivateBinfmt only). Kernel docs,
  /// admin-guide/binfmt-misc.rst. With C a set-user-ID program gets its owner's rights, as natively; that is
  /// no more than the step's own container gives.
  std::string registration;
  /// Stands in the emulator's place when that is registered; empty: the emulator itself.
  std::filesystem::path stand_in;
  std::string origin;                ///< where the emulator was found: "--qemu-dir", "the host's packages"…
  std::vector<std::string> skipped;  ///< what was there before it and would not do, a clause each
  /// "emulated by qemu-aarch64 7.2.22"; empty if native.
  std::string describe() const;
};

struct EmulatorSearch {
  /// --qemu-dir, then SLIPWAY_QEMU_DIR: they go before what is registered with the host.
  std::vector<std::filesystem::path> own_directories;
  std::vector<std::filesystem::path> directories;                       ///< PATH, /usr/bin
  std::filesystem::path binfmt_directory = "/proc/sys/fs/binfmt_misc";  ///< a seam for tests
  bool ignore_host_binfmt = false;  ///< SLIPWAY_PRIVATE_BINFMT=1: tests use the private table always

  /// Whether the kernel runs programs of a platform in any root: asked where its table is not to be seen, as
  /// in most containers, whose host may have registered emulators all the same. Absent: it does not.
  std::function<bool(const Platform&)> runs_by_hidden_entry;

  /// What is in the directories goes before what is registered with the host, which knows of no native twins,
  /// for policies and platforms that have some.
  bool own_table_for_twins = false;

  /// A directory with the emulators of an image, asked for when the machine itself has none. Absent: there is
  /// no image. May throw Error.
  std::function<std::filesystem::path()> image;
  std::string image_name;  ///< for messages
  /// What is wrong with an emulator, as the end of a sentence about it; empty: nothing. Absent: all will do.
  std::function<std::string(const Platform&, const Execution&)> test;
  /// Whether programs of a platform that shares this machine's family (386 on amd64, arm on arm64) run
  /// natively. Absent: 386 does, arm does not.
  std::function<bool(const Platform&)> runs_here;

  /// What was measured here (usual_slowdown). Absent: nothing was.
  std::function<std::optional<double>(const Platform&)> slowdown;

  static EmulatorSearch from_environment();
};

/// Native, else a right host registration, else a private one; what the user's own directories hold goes
/// before the host's, and so does everything where native twins may run (own_table_for_twins). Throws
/// HostError naming the package to install if there is no emulator, or saying that
/// --emulation=never forbids it. EmulationPolicy::Qemu prefers the emulator even where the host could run the
/// target otherwise (but never for the host's own platform).
Execution choose_execution(const Platform& host, const Platform& target, EmulationPolicy policy,
                           const EmulatorSearch& search);

/// Whether choose_execution() gives no native one, or throws; found without a look for an emulator.
bool needs_emulation(const Platform& host, const Platform& target, EmulationPolicy policy,
                     const EmulatorSearch& search);

/// How many times as long as natively computing takes under QEMU 7.2, measured on one machine
/// (bench/README.md): what to expect where nobody has measured.
double usual_slowdown(const Platform& target);

}  // namespace slipway
