#include "qemu/emulator.h"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/check.h"
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

// Why a program cannot be an emulator here; empty if it can be.
std::string unfitness(const fs::path& program, const Platform& host) {
  std::error_code problem;
  if (fs::file_size(program, problem) == 0 && !problem) return "is an empty file";
  const auto target = read_elf_target(program);
  if (!target) return "is no program but a script or data";
  if (const auto own = elf_target(host); own && !target->same_machine(*own))
    return concat("is a program for another machine than this ", host.str());
  if (!is_static_program(program)) return "is dynamically linked, which does not work inside an image";
  if (!version_of(program)) return "does not run (\"--version\" fails)";
  return "";
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

// 64-bit little-endian machines whose C programs and this one's may give the same bytes (accel/).
bool may_have_twins(const Platform& target) {
  static const std::set<std::string_view> kMachines = {"amd64", "arm64", "riscv64", "ppc64le"};
  return kMachines.contains(target.architecture());
}

// One look for one platform: candidates in the order of the search, the first that is fit and passes its test
// is taken, the others are remembered with what is wrong with them.
class Finder {
 public:
  Finder(const Platform& host, const Platform& target, EmulationPolicy policy, const EmulatorSearch& search)
      : host_(host),
        target_(target),
        search_(search),
        own_table_first_(search.own_table_for_twins && uses_twins(policy) && may_have_twins(target)) {
    const auto elf = elf_target(target);
    const auto architecture = qemu_architecture(target);
    if (!elf || !architecture)
      throw HostError(concat("programs of ", target.str(),
                             " cannot be run here: there is no user-mode emulator for them"));
    elf_ = *elf;
    architecture_ = *architecture;
  }

  Execution find() {
    constexpr const char* kPackages = "this machine's packages";
    if (look_into(search_.own_directories, "--qemu-dir or SLIPWAY_QEMU_DIR") ||
        (own_table_first_ && look_into(search_.directories, kPackages)) || take_host_entry() ||
        look_into(search_.directories, kPackages) || look_into_image()) {
      // Without native twins nobody would have looked at what was passed over on the way to the host's.
      if (!own_table_first_ || found_->kind != Execution::Kind::HostBinfmt)
        found_->skipped = std::move(skipped_);
      return std::move(*found_);
    }
    if (refused_) throw *refused_;
    std::string message = concat("no emulator for ", target_.str(), " on this machine");
    if (!skipped_.empty()) message += concat(": ", join(skipped_, "; "));
    HostError error(std::move(message));
    error.set_hint(concat("apt-get install qemu-user-static (or put a static ", name(),
                          " into a --qemu-dir, or name an image that has it with --qemu-image)"));
    throw error;
  }

 private:
  std::string name() const { return "qemu-" + architecture_; }

  bool look_into(const std::vector<fs::path>& directories, const std::string& origin) {
    for (const fs::path& directory : directories)
      for (const std::string& file : {name() + "-static", name()})
        if (take_program(fs::absolute(directory / file), origin)) return true;
    return false;
  }

  bool look_into_image() {
    if (!search_.image) return false;
    try {
      return look_into({search_.image()}, concat("image ", search_.image_name));
    } catch (const Error& e) {
      skipped_.push_back(concat("the image of emulators ", search_.image_name, ": ", e.what()));
      return false;
    }
  }

  bool take_program(const fs::path& program, const std::string& origin) {
    std::error_code problem;
    const fs::path real = fs::canonical(program, problem);
    if (problem || !seen_.insert(real).second) return false;
    if (::access(program.c_str(), X_OK) != 0) return skip(program, "is not executable");
    if (const std::string why = unfitness(program, host_); !why.empty()) return skip(program, why);
    const Emulator emulator{.program = program, .name = name(), .version = version_of(program).value_or("")};
    return take({.kind = Execution::Kind::PrivateBinfmt,
                 .emulator = emulator,
                 .registration = registration_line("slipway-" + architecture_, elf_, program,
                                                   concat(flags_for(emulator), "C")),
                 .origin = origin});
  }

  bool take_host_entry() {
    if (search_.ignore_host_binfmt) return false;
    constexpr const char* kOrigin = "registered with this machine's kernel";
    std::error_code unseen;
    if (!fs::exists(search_.binfmt_directory / "status", unseen)) return take_hidden_host_entry(kOrigin);
    const auto entry = find_host_entry(search_.binfmt_directory, elf_);
    return entry && take({.kind = Execution::Kind::HostBinfmt,
                          .emulator = describe_host_interpreter(entry->interpreter),
                          .origin = kOrigin});
  }

  bool take_hidden_host_entry(std::string origin) {
    if (!search_.runs_by_hidden_entry || !search_.runs_by_hidden_entry(target_)) return false;
    found_ = Execution{.kind = Execution::Kind::HostBinfmt, .origin = std::move(origin)};
    return true;
  }

  bool take(Execution execution) {
    const Emulator& emulator = *execution.emulator;
    std::string why;
    try {
      if (search_.test) why = search_.test(target_, execution);
    } catch (const HostError& e) {  // this machine's fault: another way to register may do
      refused_ = e;
      why = concat("cannot be registered (", e.message(), ")");
    }
    if (!why.empty())
      return skip(concat(emulator.program.native(), emulator.version.empty() ? "" : " ", emulator.version),
                  why);
    found_ = std::move(execution);
    return true;
  }

  bool skip(const fs::path& program, const std::string& why) {
    skipped_.push_back(concat(program.native(), " ", why));
    return false;
  }

  const Platform& host_;
  const Platform& target_;
  const EmulatorSearch& search_;
  ElfTarget elf_;
  std::string architecture_;
  std::set<fs::path> seen_;  ///< /bin is often a link to /usr/bin
  std::vector<std::string> skipped_;
  std::optional<HostError> refused_;  ///< the machine's, for want of another answer
  const bool own_table_first_;
  std::optional<Execution> found_;
};

// Whether this machine runs programs of its own family that are not its own: the kernel may be built without
// 32-bit support, the CPU may lack it.
bool is_native(const Platform& host, const Platform& target, const EmulatorSearch& search) {
  const bool family = (host.architecture() == "amd64" && target.architecture() == "386") ||
                      (host.architecture() == "arm64" && target.architecture() == "arm");
  if (family && host.os() == target.os() && search.runs_here) return search.runs_here(target);
  return runs_natively(host, target);
}

bool is_same_machine(const Platform& host, const Platform& target) {
  return host.architecture() == target.architecture() && host.os() == target.os();
}

/// Nothing if it does not say.
std::optional<std::uint64_t> major_version(const Emulator& emulator) {
  return parse_unsigned(emulator.version.substr(0, emulator.version.find('.')));
}

}  // namespace

std::string_view flags_for(const Emulator& emulator) {
  const auto major = major_version(emulator);
  return major && *major < 6 ? "F" : "PF";
}

bool has_cheap_pointer_codes(const Emulator& emulator) {
  const auto major = major_version(emulator);
  return emulator.name == "qemu-aarch64" && major && *major >= 6;
}

std::string Execution::describe() const {
  if (kind == Kind::Native) return "";
  if (!emulator) return "emulated by the host's emulator";
  return concat("emulated by ", emulator->name, emulator->version.empty() ? "" : " ", emulator->version);
}

EmulatorSearch EmulatorSearch::from_environment() {
  EmulatorSearch search;
  const auto add_all = [](std::vector<fs::path>& directories, const char* variable) {
    const char* value = std::getenv(variable);
    for (const std::string& directory : split(value ? value : "", ':'))
      if (!directory.empty()) directories.emplace_back(directory);
  };
  add_all(search.own_directories, "SLIPWAY_QEMU_DIR");
  add_all(search.directories, "PATH");
  search.directories.emplace_back("/usr/bin");
  const char* own_table = std::getenv("SLIPWAY_PRIVATE_BINFMT");
  search.ignore_host_binfmt = own_table && std::string_view(own_table) == "1";
  return search;
}

bool needs_emulation(const Platform& host, const Platform& target, EmulationPolicy policy,
                     const EmulatorSearch& search) {
  return !is_native(host, target, search) ||
         (!is_same_machine(host, target) && policy == EmulationPolicy::Qemu);
}

Execution choose_execution(const Platform& host, const Platform& target, EmulationPolicy policy,
                           const EmulatorSearch& search) {
  // An emulator is itself a program of this machine: registered for its own kind it would be asked to run
  // itself.
  if (is_same_machine(host, target) && !is_native(host, target, search)) {
    HostError error(concat(target.str(), " cannot be run on this ", host.str(),
                           " machine, and a machine is not emulated for its own architecture"));
    throw error;
  }
  if (!needs_emulation(host, target, policy, search)) return {};
  if (policy == EmulationPolicy::Never) throw_forbidden(target);
  return Finder(host, target, policy, search).find();
}

double usual_slowdown(const Platform& target) {
  constexpr double kUnknown = 10;
  static const std::map<std::string_view, double> factors = {{"amd64", 6},   {"386", 6},     {"arm64", 6},
                                                             {"arm", 7},     {"ppc64le", 5}, {"s390x", 6},
                                                             {"riscv64", 9}, {"mips64le", 5}};
  const auto found = factors.find(target.architecture());
  return found == factors.end() ? kUnknown : found->second;
}

}  // namespace slipway
