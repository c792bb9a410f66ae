// `slipway qemu`: what this machine can run and how well, and the host-wide registration for those who want
// it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "build/emulators.h"
#include "qemu/host_table.h"
#include "registry/client.h"
#include "slipway/command.h"
#include "slipway/emulator_flags.h"
#include "slipway/qemu_report.h"
#include "slipway/table.h"

namespace slipway {

namespace {

struct QemuFlags {
  std::vector<std::string> platforms, qemu_dirs;
  std::string qemu_image;
  bool json = false;
};

// The store, a registry and the emulators of one command.
struct QemuSession {
  QemuSession(const QemuFlags& flags, CommandContext& context)
      : store(Store::open(context.store_root, context.logger)),
        registry({}, docker_config_credentials(), context.logger),
        emulators(in_tier(emulator_options(flags.qemu_dirs, flags.qemu_image), context.confinement.isolation),
                  *store, registry, context.stop) {}
  std::unique_ptr<Store> store;
  RegistryClient registry;
  Emulators emulators;
};

void print(const std::string& text) { write_all(STDOUT_FILENO, text, "stdout"); }

std::vector<Platform> named_platforms(const QemuFlags& flags) {
  std::vector<Platform> platforms;
  for (const std::string& list : flags.platforms) {
    if (list == "all") return reported_platforms();
    for (const Platform& platform : parse_platform_list(list)) platforms.push_back(platform);
  }
  return platforms;
}

std::vector<Platform> named_platforms_or_all(const QemuFlags& flags) {
  return flags.platforms.empty() ? reported_platforms() : named_platforms(flags);
}

int run_ls(const QemuFlags& flags, CommandContext& context) {
  QemuSession session(flags, context);
  const auto reports = report_platforms(session.emulators, named_platforms_or_all(flags));
  print(flags.json ? report_json(reports) : report_table(reports));
  return 0;
}

// A candidate that fails is told of, also if there is a better one; without any, the platform has failed.
bool test_one(Emulators& emulators, const Platform& platform) {
  EmulatorSearch search = emulators.search();
  search.test = [&](const Platform& of, const Execution& execution) { return emulators.test(of, execution); };
  try {
    const Execution execution = choose_execution(Platform::host(), platform, EmulationPolicy::Auto, search);
    for (const std::string& skipped : execution.skipped)
      print(concat(platform.str(), "  passed over: ", skipped, "\n"));
    const bool native = execution.kind == Execution::Kind::Native;
    const std::string verdict = native ? emulators.test_native(platform) : "";
    print(concat(platform.str(),
                 verdict.empty() ? "  ok: " : "  FAILED: ", native ? "natively" : execution.describe(),
                 verdict.empty() ? "" : ": this machine ", verdict, "\n"));
    return verdict.empty();
  } catch (const HostError& e) {
    print(concat(platform.str(), "  FAILED: ", e.message(), "\n"));
    return false;
  }
}

int run_test(const QemuFlags& flags, CommandContext& context) {
  QemuSession session(flags, context);
  bool all = true;
  for (const Platform& platform : named_platforms_or_all(flags))
    all = test_one(session.emulators, platform) && all;
  return all ? 0 : 3;
}

int run_bench(const QemuFlags& flags, CommandContext& context) {
  QemuSession session(flags, context);
  Table table({"PLATFORM", "EMULATOR", "COMPUTES", "STARTS A PROGRAM"});
  for (const Platform& platform : named_platforms_or_all(flags)) {
    Execution execution;
    try {
      execution =
          choose_execution(Platform::host(), platform, EmulationPolicy::Auto, session.emulators.search());
    } catch (const HostError& e) {
      table.add({platform.str(), "none", "", ""});
      continue;
    }
    if (execution.kind == Execution::Kind::Native) {
      table.add({platform.str(), "native", "", ""});
      continue;
    }
    const auto measured = session.emulators.measure(platform, execution);
    if (!measured)
      throw HostError(concat("the slowdown of ", platform.str(), " cannot be measured on this machine"));
    const auto tenths = [](double number) {
      return concat(std::lround(number * 10) / 10, ".", std::lround(number * 10) % 10);
    };
    table.add({platform.str(), measured->version, concat(tenths(measured->factor), " times slower"),
               concat("in ", tenths(measured->start_ms), " ms")});
  }
  print(table.text());
  return 0;
}

void require_platforms(const QemuFlags& flags, const char* command) {
  if (flags.platforms.empty())
    throw UsageError(concat("qemu ", command, ": name the platforms, such as linux/arm64, or \"all\""));
}

int run_install(const QemuFlags& flags, CommandContext& context) {
  require_platforms(flags, "install");
  HostTable host;
  QemuSession session(flags, context);
  EmulatorSearch search = session.emulators.search();
  search.ignore_host_binfmt = true;  // a file is wanted, not what is registered
  for (const Platform& platform : named_platforms(flags)) {
    const Execution execution = choose_execution(Platform::host(), platform, EmulationPolicy::Auto, search);
    if (execution.kind == Execution::Kind::Native) {
      print(concat(platform.str(), "  runs natively: nothing to register\n"));
      continue;
    }
    const Emulator& emulator = *execution.emulator;
    const std::string shown = concat(emulator.program.native(), " ", emulator.version);
    switch (host.install(platform, emulator)) {
      case HostTable::Installed::Registered:
        print(concat(platform.str(), "  registered ", shown, "\n"));
        break;
      case HostTable::Installed::Replaced:
        print(concat(platform.str(), "  registered ", shown, " in place of an earlier one\n"));
        break;
      case HostTable::Installed::AlreadyThere:
        print(concat(platform.str(), "  is registered already: ", shown, "\n"));
        break;
      case HostTable::Installed::LeftToOther:
        print(concat(platform.str(), "  is run by the entry ", host.other_entry(platform),
                     ", which is left as it is\n"));
        break;
    }
  }
  return 0;
}

int run_uninstall(const QemuFlags& flags, CommandContext&) {
  require_platforms(flags, "uninstall");
  HostTable host;
  bool any = false;
  for (const Platform& platform : named_platforms(flags)) {
    if (!host.uninstall(platform)) continue;
    print(concat(platform.str(), "  removed\n"));
    any = true;
  }
  if (!any) print("nothing of slipway's was registered\n");
  return 0;
}

using Command = int (*)(const QemuFlags&, CommandContext&);

CLI::App* add(CLI::App& parent, Chosen& chosen, const std::shared_ptr<QemuFlags>& flags, const char* name,
              const char* help, Command command) {
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->add_option("platforms", flags->platforms, "Platforms, such as linux/arm64, or all")
      ->type_name("PLATFORM");
  sub->callback([flags, command, &chosen] {
    chosen.confined = true;  // a private binfmt table and an image's files need mounts
    chosen.run = [flags, command](CommandContext& context) { return command(*flags, context); };
  });
  return sub;
}

void add_search_options(CLI::App& command, QemuFlags& flags) {
  command.add_option("--qemu-dir", flags.qemu_dirs, "Look for emulators here first; may be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
  command
      .add_option("--qemu-image", flags.qemu_image, "Take emulators that this machine lacks from this image")
      ->type_name("REF");
}

}  // namespace

void add_qemu_command(CLI::App& app, Chosen& chosen) {
  auto flags = std::make_shared<QemuFlags>();
  CLI::App* qemu = app.add_subcommand(
      "qemu",
      "Emulators: what this machine runs and how fast.\nBuilds need no installation: each step has a "
      "registration of its own, which nobody else sees.");
  qemu->require_subcommand(1);
  qemu->fallthrough();
  CLI::App* ls = add(*qemu, chosen, flags, "ls", "What runs here: natively, or by which emulator", run_ls);
  ls->add_flag("--json", flags->json, "One JSON object a line");
  add_search_options(*ls, *flags);
  add_search_options(
      *add(*qemu, chosen, flags, "test", "Test the emulators again, whatever is known", run_test), *flags);
  add_search_options(
      *add(*qemu, chosen, flags, "bench", "Measure how much slower emulated programs are", run_bench),
      *flags);
  add_search_options(
      *add(*qemu, chosen, flags, "install",
           "Register emulators with this machine's kernel, for all programs (root)", run_install),
      *flags);
  add(*qemu, chosen, flags, "uninstall", "Undo install: entries of others are left", run_uninstall);
}

}  // namespace slipway
