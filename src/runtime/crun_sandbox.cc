// One run of crun on a bundle (crun_bundle.h).
//
// Stopping: crun hands SIGTERM on to the step's process, which as process 1 of its pid namespace ignores it,
// and dies of SIGKILL without its container. So crun runs under a keeper (step_keeper.h), which takes
// everything down.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/crun_bundle.h"
#include "runtime/crun_log.h"
#include "runtime/id_maps.h"
#include "runtime/oci_runtime.h"
#include "runtime/private_binfmt.h"
#include "runtime/resource_limits.h"
#include "runtime/sandbox.h"
#include "runtime/step_cgroup.h"
#include "runtime/step_launch.h"
#include "runtime/step_process.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kKillDeadline{10000};
constexpr int kMaxTries = 8;
constexpr std::string_view kBoundProc =
    "the kernel refuses a fresh /proc here (is this a container?): steps see the processes of others";

void check_id(std::string_view id) {
  const bool ok = !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!ok) throw InvalidInput(concat("\"", id, "\" is no id for a sandbox"));
}

/// Reasons for which a step was not started and may be tried again.
enum class NotStarted { ProgramBusy, ProcRefused };

/// One step, from bundle to result.
class CrunRun {
 public:
  CrunRun(const SandboxSpec& spec, const OciRuntime& runtime, const CgroupPlaces& cgroups,
          const fs::path& state_directory, bool fresh_proc, Logger& logger)
      : spec_(spec),
        runtime_(runtime),
        cgroups_(cgroups),
        state_directory_(state_directory),
        fresh_proc_(fresh_proc),
        bundle_(spec, fresh_proc, logger) {}

  using Outcome = std::variant<SandboxResult, NotStarted>;
  Outcome run(const std::function<void(int, std::string_view)>& on_output, const std::stop_token& stop) {
    bundle_.write();
    fs::create_directory(bundle_.path() / "state");
    std::optional<PrivateBinfmt> binfmt;
    StepOutput output(on_output);
    Command command = crun_command();
    if (spec_.execution.kind == Execution::Kind::PrivateBinfmt) {
      fs::create_directory(bundle_.path() / "binfmt");
      binfmt.emplace(bundle_.path() / "binfmt", spec_.execution);
    }
    std::optional<StepCgroup> cgroup;
    if (spec_.limits.any()) cgroup.emplace(cgroups_, spec_.limits, spec_.id);
    StepLaunch launch(bundle_.path());
    launch.keep();  // first: the keeper has to be there when the group's memory is at its end
    if (cgroup) launch.join(*cgroup);
    launch.raise(ResourceLimits(spec_.ulimits));  // while we may: not in an emulated step's user namespace
    if (binfmt) launch.enter(*binfmt);
    launch.prepend_to(command, runtime_.descriptor());
    const ProcessResult result = run_step_process(
        command, [&](int stream, std::string_view bytes) { output.add(stream, bytes); }, stop);
    if (const auto failure = launch.failure()) {
      // An emulator that was made a moment ago, and that another thread's child has open still.
      if (failure->error == ETXTBSY) return NotStarted::ProgramBusy;
      throw_binfmt_failure(*failure);
    }
    auto error = output.finish();
    if (!error) error = crun_errors(read_file_if_exists(log_file()).value_or(""));
    if (result.ok() || !error)
      return SandboxResult{.exit_code = result.exit_code,
                           .out_of_memory = cgroup && cgroup->ran_out_of_memory(),
                           .too_many_processes = cgroup && cgroup->wanted_more_processes(),
                           .peak_memory = result.peak_memory};
    if (says_program_busy(*error)) return NotStarted::ProgramBusy;
    if (fresh_proc_ && says_proc_refused(*error)) return NotStarted::ProcRefused;
    return explain(*error, on_output);
  }

 private:
  Command crun_command() const {
    Command command;
    command.argv = runtime_.run_command(
        {.bundle = bundle_.path(), .state = bundle_.path() / "state", .log = log_file(), .id = spec_.id});
    // Nothing of our own environment reaches the step; crun wants a place of its own for what it shares
    // between runs.
    command.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "XDG_RUNTIME_DIR=" + state_directory_.native()};
    command.grace = kKillDeadline;  // the keeper needs no longer, unless a process hangs in the kernel
    return command;
  }

  fs::path log_file() const { return bundle_.path() / "crun.log"; }

  // crun said that it could not start the program. If that is the image's doing, the step failed; else crun
  // did.
  SandboxResult explain(const std::string& error,
                        const std::function<void(int, std::string_view)>& on_output) const {
    const auto failure = start_failure(error, spec_.args.front());
    if (refuses_directory(error, spec_.cwd))
      throw InvalidInput(concat("the working directory \"", spec_.cwd, "\" cannot be entered: ", error));
    if (refuses_limit(error)) {
      HostError refused(concat("--ulimit: this machine does not allow it: ", error));
      refused.set_hint("only root may raise a hard limit, and nofile not above /proc/sys/fs/nr_open");
      throw refused;
    }
    if (!failure) throw_not_started(error);
    if (on_output) on_output(2, failure->message + "\n");
    return {.exit_code = failure->exit_code};
  }

  [[noreturn]] void throw_not_started(const std::string& error) const {
    HostError refused(concat(runtime_.name(), " could not start the step: ", error));
    if (wants_cgroups(error)) refused.set_hint("crun needs no control group (--oci-runtime=crun)");
    throw refused;
  }

  const SandboxSpec& spec_;
  const OciRuntime& runtime_;
  const CgroupPlaces& cgroups_;
  const fs::path& state_directory_;
  bool fresh_proc_;
  CrunBundle bundle_;
};

class CrunSandbox final : public Sandbox {
 public:
  CrunSandbox(const fs::path& state_directory, Logger& logger, const std::string& runtime)
      : runtime_(OciRuntime::find(runtime)),
        state_directory_(fs::absolute(state_directory)),
        logger_(logger) {
    fs::create_directories(state_directory_);
    fs::permissions(state_directory_, fs::perms::owner_all);
    rootless_ = is_user_namespace(read_own_uid_map());
  }

  SandboxResult run(const SandboxSpec& spec, const std::function<void(int, std::string_view)>& on_output,
                    std::stop_token stop) override {
    check_id(spec.id);
    if (spec.args.empty() || spec.args.front().empty()) throw InvalidInput("a step has no program to run");
    std::call_once(swept_, [this] { remove_abandoned_groups(cgroups_); });
    for (int tries = 0; tries < kMaxTries; ++tries) {
      if (stop.stop_requested()) throw Cancelled{};
      const auto outcome =
          CrunRun(spec, runtime_, cgroups_, state_directory_, !bound_proc_, logger_).run(on_output, stop);
      if (const auto* result = std::get_if<SandboxResult>(&outcome)) return *result;
      if (std::get<NotStarted>(outcome) == NotStarted::ProcRefused) {
        if (!bound_proc_.exchange(true)) logger_.log(LogLevel::Warning, kBoundProc);
        continue;
      }
      // While one thread writes a root file system another may fork, and until that child has exec'ed, it
      // holds the files open for writing too: the kernel refuses to execute them (ETXTBSY). That passes
      // within milliseconds.
      std::this_thread::sleep_for(std::chrono::milliseconds(5 << tries));
    }
    throw HostError(
        concat("\"", spec.args.front(), "\" cannot be executed: it stays open for writing (ETXTBSY)"));
  }

  std::string unkept(const StepLimits& limits) const override { return cgroups_.refusal(limits); }
  std::string describe() const override {
    return concat(runtime_.name(), " ", runtime_.version(), rootless_ ? ", rootless" : "");
  }

 private:
  const OciRuntime runtime_;
  const CgroupPlaces cgroups_ = CgroupPlaces::find();
  std::once_flag swept_;
  const fs::path state_directory_;
  Logger& logger_;
  bool rootless_ = false;
  std::atomic<bool> bound_proc_{false};  ///< found out by the first step
};

}  // namespace

std::unique_ptr<Sandbox> make_crun_sandbox(const fs::path& state_directory, Logger& logger,
                                           const std::string& runtime) {
  return std::make_unique<CrunSandbox>(state_directory, logger, runtime);
}

}  // namespace slipway
