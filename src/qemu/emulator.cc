#include "qemu/emulator.h"

#include <unistd.h>

#include <cstdlib>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "base/synchronized.h"
#include "qemu/binfmt.h"
#include "qemu/elf.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

// "qemu-aarch64 version 7.2.22 (Debian …)" -> "7.2.22"; empty if it says something else.
std::string version_from(std::string_view text) {
  constexpr std::string_view key = "version ";
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + key.size());
  return std::string(text.substr(0, text.find_first_of(" \n(")));
}

// Asked once a program and process: starting QEMU costs milliseconds. Nothing if it does not run.
std::optional<std::string> version_of(const fs::path& program) {
  static Synchronized<std::map<fs::path, std::optional<std::string>>> known;
  {
    auto versions = known.lock();
    if (const auto it = versions->find(program); it != versions->end()) return it->second;
  }
  std::optional<std::string> version;
  try {
    const ProcessResult result = run_process({.argv = {program.native(), "--version"}});
    if (result.ok()) version = version_from(result.out);
  } catch (const SystemError&) {  // not to be executed: as good as absent
  }
  known.lock()->emplace(program, version);
  return version;
}

struct Found {
  std::optional<Emulator> emulator;
  std::string unfit;  ///< what was there and would not do, for the message
};

Found find_emulator(const std::string& name, const std::vector<fs::path>& directories) {
  Found found;
  for (const fs::path& directory : directories) {
    for (const std::string& file : {name + "-static", name}) {
      const fs::path program = directory / file;
      if (::access(program.c_str(), X_OK) != 0) continue;
      if (!is_static_program(program)) {
        found.unfit =
            concat(program.native(), " is there but dynamically linked, which does not work inside an image");
        continue;
      }
      const auto version = version_of(program);
      if (!version) {
        found.unfit = concat(program.native(), " is there but does not run");
        continue;
      }
      found.emulator = Emulator{.program = fs::absolute(program), .name = name, .version = *version};
      return found;
    }
  }
  return found;
}

// Older ones do not know that the kernel keeps argv[0] for them and would take it for the program.
std::string_view flags_for(const Emulator& emulator) {
  const auto major = parse_unsigned(emulator.version.substr(0, emulator.version.find('.')));
  return major && *major < 6 ? "F" : "PF";
}

// The kernel has the interpreter's file open; the path may mean nothing here (it was registered from a
// container).
Emulator describe_host_interpreter(const std::string& interpreter) {
  std::error_code problem;
  const fs::path real = fs::canonical(interpreter, problem);
  Emulator emulator{.program = interpreter,
                    .name = fs::path(problem ? fs::path(interpreter) : real).filename(),
                    .version = ""};
  if (!emulator.name.starts_with("qemu-")) return emulator;
  if (emulator.name.ends_with("-static")) emulator.name.resize(emulator.name.size() - 7);
  if (!problem) emulator.version = version_of(real).value_or("");
  return emulator;
}

[[noreturn]] void throw_forbidden(const Platform& target) {
  HostError error(
      concat("programs of ", target.str(), " need an emulator here, and --emulation=never forbids it"));
  error.set_hint(concat("allow it with --emulation=auto, or build on a machine that runs ", target.str()));
  throw error;
}

[[noreturn]] void throw_missing(const Platform& target, const std::string& name, const Found& found) {
  std::string message = concat("no emulator for ", target.str(), " on this machine");
  if (!found.unfit.empty()) message += concat(": ", found.unfit);
  HostError error(std::move(message));
  error.set_hint(concat("apt-get install qemu-user-static (or put ", name, " on PATH)"));
  throw error;
}

Execution choose_emulator(const Platform& target, const EmulatorSearch& search) {
  const auto elf = elf_target(target);
  const auto architecture = qemu_architecture(target);
  if (!elf || !architecture)
    throw HostError(
        concat("programs of ", target.str(), " cannot be run here: there is no user-mode emulator for them"));
  const std::string name = "qemu-" + *architecture;
  if (!search.ignore_host_binfmt) {
    if (const auto entry = find_host_entry(search.binfmt_directory, *elf))
      return {.kind = Execution::Kind::HostBinfmt, .emulator = describe_host_interpreter(entry->interpreter)};
  }
  Found found = find_emulator(name, search.directories);
  if (!found.emulator) throw_missing(target, name, found);
  std::string line = registration_line("slipway-" + *architecture, *elf, found.emulator->program,
                                       flags_for(*found.emulator));
  return {.kind = Execution::Kind::PrivateBinfmt,
          .emulator = std::move(found.emulator),
          .registration = std::move(line)};
}

}  // namespace

std::string Execution::describe() const {
  if (kind == Kind::Native) return "";
  if (!emulator) return "emulated by the host's emulator";
  return concat("emulated by ", emulator->name, emulator->version.empty() ? "" : " ", emulator->version);
}

EmulatorSearch EmulatorSearch::from_environment() {
  EmulatorSearch search;
  const auto add_all = [&search](const char* variable) {
    const char* value = std::getenv(variable);
    for (const std::string& directory : split(value ? value : "", ':'))
      if (!directory.empty()) search.directories.emplace_back(directory);
  };
  add_all("SLIPWAY_QEMU_DIR");
  add_all("PATH");
  search.directories.emplace_back("/usr/bin");
  const char* own_table = std::getenv("SLIPWAY_PRIVATE_BINFMT");
  search.ignore_host_binfmt = own_table && std::string_view(own_table) == "1";
  return search;
}

Execution choose_execution(const Platform& host, const Platform& target, EmulationPolicy policy,
                           const EmulatorSearch& search) {
  const bool native = runs_natively(host, target);
  const bool same_machine = host.architecture() == target.architecture() && host.os() == target.os();
  // An emulator is itself a program of this machine: registered for its own kind it would be asked to run
  // itself.
  if (same_machine && !native) {
    HostError error(concat(target.str(), " cannot be run on this ", host.str(),
                           " machine, and a machine is not emulated for its own architecture"));
    throw error;
  }
  if (native && (same_machine || policy != EmulationPolicy::Qemu)) return {};
  if (policy == EmulationPolicy::Never) throw_forbidden(target);
  return choose_emulator(target, search);
}

}  // namespace slipway
