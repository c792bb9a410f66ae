// One run of crun. Everything that belongs to it (bundle, crun's state, secrets, log, the private
// binfmt_misc) lives in a tmpfs mounted on the step's scratch directory: secrets, in files or in
// config.json's environment (which crun copies into its state), are in memory only, and whatever ends us
// takes them away with our mount namespace.
//
// Stopping: crun hands SIGTERM on to the step's process, which as process 1 of its pid namespace ignores it,
// and dies of SIGKILL without its container. So crun runs under a keeper (step_keeper.h), which takes
// everything down.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/agent_socket.h"
#include "runtime/crun_log.h"
#include "runtime/id_maps.h"
#include "runtime/insecure.h"
#include "runtime/mount_stubs.h"
#include "runtime/network_files.h"
#include "runtime/oci_runtime.h"
#include "runtime/oci_spec.h"
#include "runtime/private_binfmt.h"
#include "runtime/resource_limits.h"
#include "runtime/sandbox.h"
#include "runtime/step_cgroup.h"
#include "runtime/step_init.h"
#include "runtime/step_launch.h"
#include "runtime/step_process.h"
#include "runtime/step_setup.h"
#include "runtime/users.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds kKillDeadline{10000};
constexpr unsigned kTtyGroup = 5;
constexpr int kMaxTries = 8;
constexpr std::string_view kBoundProc =
    "the kernel refuses a fresh /proc here (is this a container?): steps see the processes of others";

class ScratchTmpfs {
 public:
  explicit ScratchTmpfs(const fs::path& directory) : path_(directory) {
    if (::mount("slipway", path_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") != 0)
      throw SystemError(errno, "mount a tmpfs on", path_.native());
  }
  ~ScratchTmpfs() { ::umount2(path_.c_str(), MNT_DETACH); }
  ScratchTmpfs(const ScratchTmpfs&) = delete;
  ScratchTmpfs& operator=(const ScratchTmpfs&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void check_id(std::string_view id) {
  const bool ok = !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!ok) throw InvalidInput(concat("\"", id, "\" is no id for a sandbox"));
}

/// Reasons for which a step was not started and may be tried again.
enum class NotStarted { ProgramBusy, ProcRefused };

/// One step, from bundle to result. Members are destroyed in reverse: stubs before the scratch goes.
class CrunRun {
 public:
  CrunRun(const SandboxSpec& spec, const OciRuntime& runtime, const CgroupPlaces& cgroups,
          const fs::path& state_directory, bool fresh_proc, Logger& logger)
      : spec_(spec),
        runtime_(runtime),
        cgroups_(cgroups),
        state_directory_(state_directory),
        fresh_proc_(fresh_proc),
        root_(spec.rootfs),
        scratch_(spec.scratch),
        stubs_(root_, logger) {}

  using Outcome = std::variant<SandboxResult, NotStarted>;
  Outcome run(const std::function<void(int, std::string_view)>& on_output, const std::stop_token& stop) {
    write_file_atomic(scratch_.path() / "config.json", build_spec(), Durability::None, 0600);
    fs::create_directory(scratch_.path() / "state");
    std::optional<PrivateBinfmt> binfmt;
    StepOutput output(on_output);
    Command command = crun_command();
    if (spec_.execution.kind == Execution::Kind::PrivateBinfmt) {
      fs::create_directory(scratch_.path() / "binfmt");
      binfmt.emplace(scratch_.path() / "binfmt", spec_.execution.registration);
    }
    std::optional<StepCgroup> cgroup;
    if (spec_.limits.any()) cgroup.emplace(cgroups_, spec_.limits, spec_.id);
    StepLaunch launch(scratch_.path());
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
                           .too_many_processes = cgroup && cgroup->wanted_more_processes()};
    if (says_program_busy(*error)) return NotStarted::ProgramBusy;
    if (fresh_proc_ && says_proc_refused(*error)) return NotStarted::ProcRefused;
    return explain(*error, on_output);
  }

 private:
  // --- what the step sees
  // ---------------------------------------------------------------------------------------

  std::string build_spec() {
    const IdMap uids = read_own_uid_map(), gids = read_own_gid_map();
    OciSpecInput input{.rootfs = fs::absolute(spec_.rootfs),
                       .args = spec_.args,
                       .env = {},
                       .cwd = spec_.cwd,
                       .hostname = spec_.hostname,
                       .user = user_in_maps(uids, gids)};
    input.fresh_proc = fresh_proc_;
    input.own_network = spec_.network == NetworkMode::None;
    input.in_user_namespace =
        is_user_namespace(uids) || spec_.execution.kind == Execution::Kind::PrivateBinfmt;
    input.tty_group_mapped = is_mapped(gids, kTtyGroup);
    input.env = step_environment(spec_, input.user);
    input.ulimits = spec_.ulimits;
    input.no_new_privileges = spec_.no_new_privileges;
    for (const char* place : {"/proc", "/dev", "/sys"}) add_system_place(place);
    ensure_working_directory(spec_, root_, input.user);
    add_network_files(input);
    if (spec_.security == SecurityMode::Insecure) open_up(input);
    add_mounts(input);
    if (spec_.execution.kind != Execution::Kind::Native) put_under_init(input);
    try {
      return oci_spec(input);
    } catch (const nlohmann::json::exception&) {
      throw InvalidInput("an argument or environment variable of the step is not UTF-8");
    }
  }

  // The program becomes process 2, so that a signal can end it (step_init/main.cc).
  void put_under_init(OciSpecInput& input) {
    const std::string_view program = step_init_program();
    const auto covers = [](const OciMount& mount) { return is_below(kStepInitPath, mount.dest); };
    // Where the step has mounted something over /dev, a file put in there would stay behind.
    if (program.empty() || std::ranges::any_of(input.mounts, covers)) return;
    const fs::path file = scratch_.path() / "init";
    write_file_atomic(file, program, Durability::None, 0755);
    ::chmod(file.c_str(), 0755);  // whatever the umask
    input.mounts.push_back({.source = file,
                            .dest = std::string(kStepInitPath),
                            .recursive = false,
                            .options = {"nosuid", "nodev"}});
    input.args.insert(input.args.begin(), {std::string(kStepInitPath), "--"});
  }

  // crun makes device nodes and links in there by name, as root, and would follow a link out of the root.
  void add_system_place(const char* place) {
    if (const auto status = root_.stat(place, /*follow=*/false); status && !S_ISDIR(status->st_mode))
      throw InvalidInput(concat(place, " in the image is not a directory: a step gets its own there"));
    stubs_.add(place, MountStubs::Kind::Directory);
  }

  ResolvedUser user_in_maps(const IdMap& uids, const IdMap& gids) {
    ResolvedUser user = resolve_user(root_, spec_.user);
    if (!is_mapped(uids, user.uid) || !is_mapped(gids, user.gid))
      throw_no_such_id("the step runs as", user.uid, user.gid);
    std::erase_if(user.groups, [&](unsigned gid) { return !is_mapped(gids, gid); });
    // In a map of one id setgroups(2) is forbidden.
    if (read_file_if_exists("/proc/self/setgroups").value_or("allow").starts_with("deny"))
      user.groups.clear();
    return user;
  }

  static void open_up(OciSpecInput& input) {
    input.all_capabilities = own_capabilities();
    for (const fs::path& device : insecure_devices())
      input.mounts.push_back(
          {.source = device, .dest = device.native(), .readonly = false, .recursive = false, .options = {}});
    // A fresh sysfs has nothing mounted there.
    if (input.own_network || !input.in_user_namespace)
      input.mounts.push_back(
          {.source = "/sys/fs/cgroup", .dest = "/sys/fs/cgroup", .readonly = false, .options = {}});
  }

  void add_network_files(OciSpecInput& input) {
    const auto add = [&](const char* name, const char* dest, const std::string& text) {
      write_file_atomic(scratch_.path() / name, text, Durability::None, 0644);
      ::chmod((scratch_.path() / name).c_str(), 0644);  // whatever the umask
      input.mounts.push_back({.source = scratch_.path() / name,
                              .dest = stubs_.add(dest, MountStubs::Kind::File),
                              .recursive = false,
                              .options = {"nosuid", "nodev"}});  // as the tmpfs has it: runc does not look
    };
    add("hosts", "/etc/hosts", hosts_file(spec_.hostname, spec_.extra_hosts));
    add("resolv.conf", "/etc/resolv.conf", resolver_file(spec_.network, "/"));
  }

  void add_mounts(OciSpecInput& input) {
    std::vector<OciMount> mounts;
    for (const SandboxMount& mount : spec_.mounts) mounts.push_back(bind_mount(mount));
    for (const SandboxTmpfs& tmpfs : spec_.tmpfs) mounts.push_back(tmpfs_mount(tmpfs));
    add_secrets(mounts);
    add_agents(mounts);
    // A place comes after those it is in: a path sorts after what it begins with.
    std::ranges::stable_sort(mounts, {}, &OciMount::dest);
    std::ranges::move(mounts, std::back_inserter(input.mounts));
  }

  OciMount bind_mount(const SandboxMount& mount) {
    struct stat status {};
    if (::stat(mount.source.c_str(), &status) != 0) throw SystemError(errno, "stat", mount.source.native());
    const auto kind = S_ISDIR(status.st_mode) ? MountStubs::Kind::Directory : MountStubs::Kind::File;
    OciMount bind{
        .source = fs::absolute(mount.source), .dest = add_stub(mount.dest, kind), .readonly = mount.readonly};
    if (!mount.devices) bind.options.emplace_back("nodev");
    if (mount.nosuid) bind.options.emplace_back("nosuid");
    return bind;
  }

  OciMount tmpfs_mount(const SandboxTmpfs& tmpfs) {
    OciMount mount{.source = {},
                   .dest = add_stub(tmpfs.dest, MountStubs::Kind::Directory),
                   .readonly = tmpfs.readonly,
                   .options = {"nosuid", "nodev", "mode=1777"}};
    if (tmpfs.size > 0) mount.options.push_back(concat("size=", tmpfs.size));
    return mount;
  }

  // What is below another mount of this step gets its mount point there, by the runtime: in the image it
  // would be hidden.
  std::string add_stub(const std::string& dest, MountStubs::Kind kind) {
    const auto covered = [&](std::string_view place) { return dest != place && is_below(dest, place); };
    const auto covers = [&](const auto& mount) { return covered(mount.dest); };
    const bool under_mount =
        std::ranges::any_of(spec_.mounts, covers) || std::ranges::any_of(spec_.tmpfs, covers);
    if (under_mount || covered("/dev") || covered("/proc") || covered("/sys")) return dest;
    return stubs_.add(dest, kind);
  }

  // A place for files of ours that the step sees one by one.
  fs::path scratch_directory(const char* name) {
    fs::path directory = scratch_.path() / name;
    fs::create_directory(directory);
    return directory;
  }

  void add_secrets(std::vector<OciMount>& mounts) {
    if (spec_.secrets.empty()) return;
    const fs::path directory = scratch_directory("secrets");
    for (std::size_t i = 0; i < spec_.secrets.size(); ++i) {
      const SandboxSecretFile& secret = spec_.secrets[i];
      const std::string shown = concat("the secret for ", secret.dest);
      const fs::path file = directory / std::to_string(i);
      check_owner(secret.uid, secret.gid, shown);
      write_file_atomic(file, secret.value.reveal(), Durability::None, 0600);
      if (::chown(file.c_str(), secret.uid, secret.gid) != 0) throw SystemError(errno, "chown", shown);
      if (::chmod(file.c_str(), secret.mode & 07777) != 0) throw SystemError(errno, "chmod", shown);
      mounts.push_back({.source = file,
                        .dest = add_stub(secret.dest, MountStubs::Kind::File),
                        .recursive = false,
                        .options = {"nosuid", "nodev", "noexec"}});
    }
  }

  void add_agents(std::vector<OciMount>& mounts) {
    if (spec_.agents.empty()) return;
    const fs::path directory = scratch_directory("agents");
    for (const SandboxAgentSocket& agent : spec_.agents) {
      check_owner(agent.uid, agent.gid, concat("the ssh agent at ", agent.dest));
      const fs::path socket = directory / std::to_string(agents_.size());
      agents_.push_back(std::make_unique<AgentSocket>(socket, agent.agent));
      agents_.back()->give_to(agent.uid, agent.gid, agent.mode & 0777);
      mounts.push_back({.source = socket,
                        .dest = add_stub(agent.dest, MountStubs::Kind::File),
                        .recursive = false,
                        .options = {"nosuid", "nodev", "noexec"}});
    }
  }

  static void check_owner(unsigned uid, unsigned gid, const std::string& what) {
    if (is_mapped(read_own_uid_map(), uid) && is_mapped(read_own_gid_map(), gid)) return;
    throw_no_such_id(concat(what, " belongs to"), uid, gid);
  }

  [[noreturn]] static void throw_no_such_id(const std::string& who, unsigned uid, unsigned gid) {
    HostError error(concat(who, " user ", uid, ":", gid, ", which does not exist in this user namespace"));
    error.set_hint(
        "install uidmap and give yourself a range in /etc/subuid and /etc/subgid (usermod --add-subuids "
        "100000-165535 --add-subgids 100000-165535 NAME)");
    throw error;
  }

  // --- running it
  // -----------------------------------------------------------------------------------------------

  Command crun_command() const {
    Command command;
    command.argv = runtime_.run_command(
        {.bundle = scratch_.path(), .state = scratch_.path() / "state", .log = log_file(), .id = spec_.id});
    // Nothing of our own environment reaches the step; crun wants a place of its own for what it shares
    // between runs.
    command.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                           "XDG_RUNTIME_DIR=" + state_directory_.native()};
    command.grace = kKillDeadline;  // the keeper needs no longer, unless a process hangs in the kernel
    return command;
  }

  fs::path log_file() const { return scratch_.path() / "crun.log"; }

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
    if (!failure) throw HostError(concat(runtime_.name(), " could not start the step: ", error));
    if (on_output) on_output(2, failure->message + "\n");
    return {.exit_code = failure->exit_code};
  }

  const SandboxSpec& spec_;
  const OciRuntime& runtime_;
  const CgroupPlaces& cgroups_;
  const fs::path& state_directory_;
  bool fresh_proc_;
  RootedDir root_;
  ScratchTmpfs scratch_;
  MountStubs stubs_;
  std::vector<std::unique_ptr<AgentSocket>> agents_;
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
