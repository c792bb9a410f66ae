// `slipway version`: the program, and what this host can do.
#include <sys/utsname.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "build/emulators.h"
#include "qemu/emulator.h"
#include "runtime/sandbox.h"
#include "slipway/command.h"
#include "slipway/version.h"

namespace slipway {

namespace {

constexpr const char* kShownPlatforms =
    "linux/amd64,linux/386,linux/arm64,linux/arm/v7,linux/ppc64le,linux/s390x,linux/riscv64";

std::string how_it_runs(const Platform& platform, const EmulatorSearch& search, Isolation isolation) {
  try {
    const Execution execution = choose_execution(Platform::host(), platform, EmulationPolicy::Auto, search);
    const std::string how = execution.describe();
    // Without namespaces there is no private binfmt_misc.
    const bool by_proot = isolation != Isolation::Oci && execution.kind == Execution::Kind::PrivateBinfmt;
    if (by_proot && !find_program("proot"))
      return concat("not here (", how, " needs proot: apt-get install proot)");
    return concat(how.empty() ? "native" : how, by_proot ? ", by proot" : "");
  } catch (const HostError& e) {
    return concat("not here (", e.message(), ")");
  }
}

// What a build would find, but for its tests of emulators.
EmulatorSearch search_in_tier(Isolation isolation) {
  EmulatorSearch search = EmulatorSearch::from_environment();
  search.own_table_for_twins = isolation == Isolation::Oci;
  search.ignore_host_binfmt = search.ignore_host_binfmt || isolation == Isolation::Proot;
  search.runs_by_hidden_entry = [](const Platform& platform) {
    std::error_code none;
    const auto directory = std::filesystem::temp_directory_path(none);
    return !none && runs_by_hidden_entry(platform, directory);
  };
  return search;
}

std::string how_steps_run(const Confinement& confinement) {
  if (!confinement.possible) return concat("none: ", confinement.refusal);
  if (confinement.isolation == Isolation::Oci) {
    const auto crun = find_program("crun");
    return concat("oci, by ", crun ? crun->native() : "crun, which is missing: apt-get install crun",
                  confinement.user_namespace ? ", rootless" : "");
  }
  return concat(
      name_of(confinement.isolation),
      confinement.refusal.empty() ? "" : concat(" (namespaces are refused: ", confinement.refusal, ")"));
}

std::string version_text(const Confinement& confinement) {
  struct utsname kernel {};
  ::uname(&kernel);
  std::string text = concat("slipway ", kVersion, " (", kCommit, ")\n", "host     ", Platform::host().str(),
                            ", Linux ", kernel.release, "\n");
  text += concat("steps    ", how_steps_run(confinement), "\n");
  const EmulatorSearch search = search_in_tier(confinement.isolation);
  for (const Platform& platform : parse_platform_list(kShownPlatforms))
    text +=
        concat("runs     ", platform.str(), "  ", how_it_runs(platform, search, confinement.isolation), "\n");
  return text;
}

}  // namespace

void add_version_command(CLI::App& app, Chosen& chosen) {
  CLI::App* version =
      app.add_subcommand("version", "Print the version, the commit, and what this host can do");
  version->callback([&chosen] {
    chosen.confined = chosen.tells_of_refusal = true;
    chosen.run = [](CommandContext& context) {
      write_all(STDOUT_FILENO, version_text(context.confinement), "stdout");
      return 0;
    };
  });
}

}  // namespace slipway
