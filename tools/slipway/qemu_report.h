#pragma once
// How programs of each platform run on this machine, for `slipway qemu ls`.
#include <string>
#include <vector>

#include "build/emulators.h"

namespace slipway {

/// All platforms that there is something to say about here.
std::vector<Platform> reported_platforms();

struct PlatformReport {
  enum class Runs { Natively, Emulated, No };
  enum class Test { None, Passed, NotYet };
  Platform platform;
  Runs runs = Runs::No;
  std::string how;  ///< why natively, or why not
  std::string program, version, origin;
  Test test = Test::None;
  double slowdown = 1;
  bool measured = false;  ///< the slowdown, here
  std::vector<std::string> skipped;
};
/// Starts no emulator but for its version: what was tested before is looked up.
std::vector<PlatformReport> report_platforms(Emulators& emulators, const std::vector<Platform>& platforms);

std::string report_table(const std::vector<PlatformReport>& reports);
std::string report_json(const std::vector<PlatformReport>& reports);  ///< one object a line

}  // namespace slipway
