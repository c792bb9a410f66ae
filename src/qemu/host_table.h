#pragma once
// Registering emulators with the host's kernel, for those who want programs of other machines to run
// everywhere, not in slipway's steps only. Nothing but `slipway qemu install` and `uninstall` calls this.
#include <filesystem>
#include <string>

#include "platforms/platform.h"
#include "qemu/emulator.h"

namespace slipway {

/// The kernel's table; entries that slipway did not make are never changed. Not for several threads at once.
class HostTable {
 public:
  /// Throws HostError that says what to do: binfmt_misc is not mounted there, is switched off, or may not be
  /// written.
  explicit HostTable(std::filesystem::path directory = "/proc/sys/fs/binfmt_misc");

  enum class Installed {
    Registered,  ///< a new entry
    Replaced,    ///< an entry of slipway's was there for another file or with other flags
    AlreadyThere,
    LeftToOther,  ///< somebody else's entry runs these programs in any root: see other_entry()
  };
  /// Registers `emulator` as slipway-ARCHITECTURE with flags P and F: not C, since a mistake
  /// of the emulator in a set-user-ID program would be one of the whole machine (Debian's registration is so
  /// too). Throws HostError if the kernel refuses.
  Installed install(const Platform& platform, const Emulator& emulator);
  /// False if there was no such entry.
  bool uninstall(const Platform& platform);

  /// The name of the entry that install() left as it is.
  std::string other_entry(const Platform& platform) const;

 private:
  std::filesystem::path entry_of(const Platform& platform) const;
  void remove(const std::filesystem::path& entry) const;
  std::filesystem::path directory_;
};

}  // namespace slipway
