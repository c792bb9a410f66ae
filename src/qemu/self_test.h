#pragma once
// A small program of each architecture, carried along (selftest/), that shows whether programs of it run here
// as builds need it: argv[0], memory, signals, threads, programs that start programs. It measures too.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/files.h"
#include "platforms/platform.h"

namespace slipway {

/// A self-test program on disk, removed with this object. Not for several threads at once.
class SelfTest {
 public:
  /// Throws HostError for a platform that there is no program for (see has_program), SystemError. `directory`
  /// is where it is written: programs must be allowed to run there.
  SelfTest(const Platform& platform, const std::filesystem::path& directory);

  static bool has_program(const Platform& platform);
  /// Changes with the program: results of an older one say nothing. Empty if there is none.
  static std::string program_id(const Platform& platform);

  /// Its directory, for what a test needs besides the program; nothing there is named "program" but that.
  const std::filesystem::path& directory() const { return directory_.path(); }

  /// The following return what is wrong, as the end of a sentence about the emulator; empty: nothing.
  /// What fails is tried again, twice; an emulator that has to be stopped is not.

  /// The emulator as a plain program.
  std::string run_by(const std::filesystem::path& emulator) const;
  /// Started by the kernel as any program: natively, or by what is registered with it. The program starts
  /// itself once more under another name. `child_setup` as in Command.
  std::string run_by_kernel(std::function<int()> child_setup = {}) const;
  /// The same in a root of its own (chroot(2), in a user namespace if need be), where what the kernel starts
  /// for it must be open already: binfmt_misc's flag F.
  std::string run_by_kernel_in_own_root() const;

  /// Seconds of CPU time that `rounds` rounds of integer work take, without what starting takes: natively
  /// without `emulator`. Nothing if it fails. No other thread may run programs meanwhile.
  std::optional<double> measure(const std::optional<std::filesystem::path>& emulator, int rounds) const;
  /// The same of starting the program, the fastest of several.
  std::optional<double> measure_start(const std::optional<std::filesystem::path>& emulator) const;

 private:
  std::optional<double> fastest(const std::optional<std::filesystem::path>& emulator, int rounds,
                                int repetitions) const;
  TempDir directory_;
  std::filesystem::path program_;
};

}  // namespace slipway
