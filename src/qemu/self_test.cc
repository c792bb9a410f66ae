#include "qemu/self_test.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/subprocess.h"

namespace slipway {

namespace {

struct Program {
  std::string_view architecture;  ///< as QEMU names it
  std::string_view base64;
};
constexpr std::array kPrograms = std::to_array<Program>({
#include "qemu/selftest/programs.inc"
});

// The exit codes of selftest/selftest.c, from 10 on.
constexpr std::array<std::string_view, 10> kChecks = {"does not hand over arguments",
                                                      "does not keep argv[0]",
                                                      "cannot map memory",
                                                      "cannot change memory's protection",
                                                      "cannot unmap memory",
                                                      "does not deliver signals",
                                                      "does not run threads",
                                                      "cannot fork",
                                                      "cannot start another program",
                                                      "computes wrong results"};
constexpr int kFirstCheck = 10;
constexpr unsigned kSeconds = 20;  // an emulator that has not got through by then never will

// One that is broken is so each time. QEMU 7.2, which is not, was seen to crash once in hundreds of runs on a
// busy machine.
constexpr int kRuns = 3;

const Program* find_program_for(const Platform& platform) {
  const auto architecture = qemu_architecture(platform);
  const auto found = std::ranges::find_if(kPrograms, [&](const Program& program) {
    return architecture && program.architecture == *architecture;
  });
  return found == kPrograms.end() ? nullptr : &*found;
}

std::string first_line(const std::string& text) {
  return std::string(trim(text.substr(0, text.find('\n'))).substr(0, 200));
}

std::string verdict(const ProcessResult& result) {
  if (result.ok()) return "";
  if (result.signal == SIGALRM) return "does not come to an end with a small program";
  if (result.signal != 0) return concat("crashes with a small program (", ::strsignal(result.signal), ")");
  const int check = result.exit_code - kFirstCheck;
  if (check >= 0 && check < static_cast<int>(kChecks.size())) return std::string(kChecks.at(check));
  const std::string said = first_line(result.err);
  return concat("does not run a small program (exit code ", result.exit_code,
                said.empty() ? "" : concat(": ", said), ")");
}

// CPU time of the children so far: unlike the clock it does not count who else is at work on the machine.
double children_seconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const struct timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Between fork and exec. Whoever may not change the root may do so in a user namespace.
int enter_root(const char* root) {
  if (::chroot(root) != 0 && (::unshare(CLONE_NEWUSER) != 0 || ::chroot(root) != 0)) return errno;
  return ::chdir("/") == 0 ? 0 : errno;
}

std::string run_checks(Command command) {
  command.child_setup = [inner = std::move(command.child_setup)] {
    if (inner)
      if (const int error = inner()) return error;
    ::alarm(kSeconds);  // outlives the exec
    return 0;
  };
  std::string found;
  for (int run = 0; run < kRuns; ++run) {
    try {
      const ProcessResult result = run_process(command);
      found = verdict(result);
      if (found.empty() || result.signal == SIGALRM) return found;
    } catch (const SystemError& e) {
      return concat("cannot be started (", ::strerror(e.error_number()), ")");
    }
  }
  return found;
}

}  // namespace

SelfTest::SelfTest(const Platform& platform, const std::filesystem::path& directory)
    : directory_(directory, "self-test"), program_(directory_.path() / "program") {
  const Program* program = find_program_for(platform);
  if (!program) throw HostError(concat("there is no self-test for ", platform.str()));
  write_file_atomic(program_, base64_decode(program->base64), Durability::None, 0755);
}

bool SelfTest::has_program(const Platform& platform) { return find_program_for(platform) != nullptr; }

std::string SelfTest::program_id(const Platform& platform) {
  const Program* program = find_program_for(platform);
  return program ? Digest::of(program->base64).short_hex() : "";
}

std::string SelfTest::run_by(const std::filesystem::path& emulator) const {
  return run_checks(
      {.argv = {emulator.native(), "-0", "a given name", program_.native(), "a given name", "check"}});
}

std::string SelfTest::run_by_kernel(std::function<int()> child_setup) const {
  Command command{.argv = {program_.native(), program_.native(), "exec", program_.native()}};
  command.child_setup = std::move(child_setup);
  return run_checks(std::move(command));
}

std::string SelfTest::run_by_kernel_in_own_root() const {
  Command command{.argv = {"/program", "/program", "exec", "/program"}};
  command.child_setup = [root = directory_.path()] { return enter_root(root.c_str()); };
  return run_checks(std::move(command));
}

std::optional<double> SelfTest::fastest(const std::optional<std::filesystem::path>& emulator, int rounds,
                                        int repetitions) const {
  std::vector<std::string> argv;
  if (emulator) argv = {emulator->native()};
  argv.insert(argv.end(), {program_.native(), program_.native(), "bench", std::to_string(rounds)});
  std::optional<double> best;
  for (int i = 0; i < repetitions; ++i) {
    const double began = children_seconds();
    try {
      if (!run_process({.argv = argv}).ok()) return std::nullopt;
    } catch (const SystemError&) {  // no program of this machine
      return std::nullopt;
    }
    const double seconds = children_seconds() - began;
    best = std::min(best.value_or(seconds), seconds);
  }
  return best;
}

std::optional<double> SelfTest::measure(const std::optional<std::filesystem::path>& emulator,
                                        int rounds) const {
  const auto idle = fastest(emulator, 0, 3), busy = fastest(emulator, rounds, 5);
  if (!idle || !busy) return std::nullopt;
  return std::max(*busy - *idle, 1e-6);
}

std::optional<double> SelfTest::measure_start(const std::optional<std::filesystem::path>& emulator) const {
  return fastest(emulator, 0, 10);
}

}  // namespace slipway
