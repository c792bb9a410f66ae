// `slipway version`: the program, and what this host can do.
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "qemu/emulator.h"
#include "runtime/sandbox.h"
#include "slipway/command.h"
#include "slipway/version.h"

namespace slipway {

namespace {

constexpr const char* kShownPlatforms =
    "linux/amd64,linux/386,linux/arm64,linux/arm/v7,linux/ppc64le,linux/s390x,linux/riscv64";

std::string how_it_runs(const Platform& platform, const EmulatorSearch& search) {
  try {
    const std::string how =
        choose_execution(Platform::host(), platform, EmulationPolicy::Auto, search).describe();
    return how.empty() ? "native" : how;
  } catch (const HostError& e) {
    return concat("not here (", e.message(), ")");
  }
}

std::string version_text() {
  struct utsname kernel {};
  ::uname(&kernel);
  std::string text = concat("slipway ", kVersion, " (", kCommit, ")\n", "host     ", Platform::host().str(),
                            ", Linux ", kernel.release, "\n");
  const auto crun = find_program("crun");
  text += concat("runtime  ", crun ? crun->native() : "crun is missing: apt-get install crun",
                 ::geteuid() ? ", rootless" : "", "\n");
  const EmulatorSearch search = EmulatorSearch::from_environment();
  for (const Platform& platform : parse_platform_list(kShownPlatforms))
    text += concat("runs     ", platform.str(), "  ", how_it_runs(platform, search), "\n");
  return text;
}

}  // namespace

void add_version_command(CLI::App& app, Chosen& chosen) {
  CLI::App* version =
      app.add_subcommand("version", "Print the version, the commit, and what this host can do");
  version->callback([&chosen] {
    chosen.run = [](CommandContext&) {
      write_all(STDOUT_FILENO, version_text(), "stdout");
      return 0;
    };
  });
}

}  // namespace slipway
