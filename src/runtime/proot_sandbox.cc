// One step by proot, which watches every system call of the step (ptrace) and gives it other paths: a root,
// bindings in place of mounts, an emulator in place of binfmt_misc. It needs no privilege, and it keeps
// nobody in who wants out.
//
// As an unprivileged user, all files of the root are that user's, and proot has the step believe that it is
// root (or whom USER names). As root the step's ids are real, so its files' owners are, too.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grp.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/agent_socket.h"
#include "runtime/capabilities.h"
#include "runtime/id_maps.h"
#include "runtime/mount_stubs.h"
#include "runtime/network_files.h"
#include "runtime/proot_first.h"
#include "runtime/resource_limits.h"
#include "runtime/sandbox.h"
#include "runtime/step_devices.h"
#include "runtime/step_keeper.h"
#include "runtime/step_process.h"
#include "runtime/step_setup.h"
#include "runtime/users.h"

namespace slipway {
namespace fs = std::filesystem;
namespace {

using Output = std::function<void(int, std::string_view)>;

constexpr std::chrono::milliseconds kKillDeadline{10000};
/// proot as it works here.
struct Proot {
  fs::path program;
  bool without_seccomp = false;  ///< its acceleration by a seccomp filter is refused or broken here
};

void touch(const fs::path& path) { write_file_atomic(path, "", Durability::None, 0666); }

/// Lets the step's user reach a place by its path, which is all that proot gives it; what lies beside it on
/// the way cannot be listed.
void let_through(const fs::path& path) {
  for (fs::path directory = path.parent_path(); directory != directory.root_path();
       directory = directory.parent_path()) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    if ((status.st_mode & S_IXOTH) == 0) ::chmod(directory.c_str(), (status.st_mode & 07777) | S_IXOTH);
  }
}

/// Secrets are files here in memory, where there is such a place. Whoever dies without removing them lets go
/// of a lock, so that the next one does.
class SecretDirectory {
 public:
  explicit SecretDirectory(const fs::path& scratch)
      : directory_(::access(kMemory, W_OK) == 0 ? fs::path(kMemory) : scratch, kPrefix),
        lock_(open_file(directory_.path(), O_RDONLY | O_DIRECTORY)) {
    ::flock(lock_.get(), LOCK_SH);
  }
  const fs::path& path() const { return directory_.path(); }

  static void remove_dead() {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(kMemory, ignored)) {
      if (!entry.path().filename().native().starts_with(kPrefix)) continue;
      const UniqueFd fd{
          ::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC)};
      if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
    }
  }

 private:
  static constexpr const char* kMemory = "/dev/shm";
  static constexpr const char* kPrefix = "slipway-secrets";
  TempDir directory_;
  UniqueFd lock_;
};

/// Who the step is when it is really so: root can be anybody. Prepared before the fork.
class RealUser {
 public:
  explicit RealUser(const ResolvedUser& user)
      : groups_(user.groups.begin(), user.groups.end()),
        uid_(user.uid),
        gid_(user.gid),
        keep_(chroot_step_capabilities() & effective_capabilities()) {}

  /// Async-signal-safe; returns 0 or an errno.
  int become() const noexcept {
    if (::setgroups(groups_.size(), groups_.data()) != 0 || ::setresgid(gid_, gid_, gid_) != 0) return errno;
    if (const int error = limit_capabilities(keep_)) return error;
    return ::setresuid(uid_, uid_, uid_) == 0 ? 0 : errno;
  }

 private:
  std::vector<gid_t> groups_;
  uid_t uid_;
  gid_t gid_;
  CapabilitySet keep_;
};

int start_step(const RealUser* user, const ResourceLimits& ulimits, bool no_new_privileges,
               const ProotFirst& first) noexcept {
  if (const int error = fork_under_keeper(KeptProgram::Tracer)) return error;
  const pid_t keeper = ::getppid();
  ::setsid();
  ::umask(022);
  if (const int error = first.hand_down()) return error;
  if (const int error = ulimits.apply()) return error;
  if (no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  if (user)
    if (const int error = user->become()) return error;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // changed credentials cancelled it
  return ::getppid() == keeper ? 0 : ECHILD;
}

class ProotRun {
 public:
  ProotRun(const SandboxSpec& spec, const Proot& proot, Logger& logger)
      : spec_(spec),
        proot_(proot),
        is_root_(::geteuid() == 0 && id_count(read_own_uid_map()) > 1),
        root_(spec.rootfs),
        scratch_(fs::absolute(spec.scratch), "proot"),
        dev_(new_directory("dev", 0755)),
        first_(dev_),
        user_(resolve_user(root_, spec.user)),
        stubs_(root_, logger) {}

  SandboxResult run(const Output& on_output, const std::stop_token& stop) {
    refuse_what_needs_namespaces(spec_, Isolation::Proot);
    ensure_working_directory(spec_, root_, user_);
    Command command = proot_command();
    const StepProgram program = find_step_program(spec_, root_);
    // In a mount it is to be found when that is there.
    if (program.path.empty() && spec_.mounts.empty()) {
      if (on_output)
        on_output(2,
                  concat(spec_.args.front(), ": ", program.found ? "Permission denied" : "not found", "\n"));
      return {.exit_code = program.found ? 126 : 127};
    }
    for (std::string& word : first_.command(program.path, spec_.args))
      command.argv.push_back(std::move(word));
    const RealUser user(user_);
    const ResourceLimits ulimits(spec_.ulimits);
    command.child_setup = [real = is_root_ ? &user : nullptr, &ulimits, this] {
      return start_step(real, ulimits, spec_.no_new_privileges, first_);
    };
    const ProcessResult result = run_step_process(
        std::move(command),
        [&](int stream, std::string_view bytes) {
          if (on_output) on_output(stream, bytes);
        },
        stop);
    return {.exit_code = first_.exit_code(result.exit_code), .peak_memory = result.peak_memory};
  }

 private:
  /// All but what it runs.
  Command proot_command() {
    Command command;
    arguments_ = {
        proot_.program.native(), "-v", "-1", "-r", fs::absolute(spec_.rootfs).native(), "-w", spec_.cwd};
    if (!is_root_ && user_.uid == 0 && user_.gid == 0) arguments_.emplace_back("-0");
    if (!is_root_ && (user_.uid != 0 || user_.gid != 0)) add("-i", concat(user_.uid, ":", user_.gid));
    if (spec_.execution.kind == Execution::Kind::PrivateBinfmt)
      add_emulator(spec_.execution.emulator->program);
    bind_machine();
    add_mounts();
    command.argv = std::move(arguments_);
    command.environment = step_environment(spec_, user_);
    const fs::path temp = new_directory("tmp", 0700);
    if (is_root_) give(temp, user_.uid, user_.gid);
    command.environment->push_back("PROOT_TMP_DIR=" + temp.native());
    if (proot_.without_seccomp) command.environment->emplace_back("PROOT_NO_SECCOMP=1");
    command.directory = scratch_.path();
    command.grace = kKillDeadline;
    if (is_root_ && user_.uid != 0) {
      let_through(fs::absolute(spec_.rootfs));
      let_through(scratch_.path() / "tmp");
    }
    return command;
  }

  void add(const char* option, std::string value) {
    arguments_.emplace_back(option);
    arguments_.push_back(std::move(value));
  }

  fs::path new_directory(const std::string& name, unsigned mode) {
    fs::path directory = scratch_.path() / name;
    fs::create_directory(directory);
    ::chmod(directory.c_str(), mode);
    return directory;
  }

  static void give(const fs::path& path, unsigned uid, unsigned gid) {
    if (::chown(path.c_str(), uid, gid) != 0) throw SystemError(errno, "chown", path.native());
  }

  void bind(const fs::path& source, const std::string& dest) {
    if (dest.find(':') != std::string::npos)
      throw HostError(concat("proot cannot bind anything at ", dest, ": the path has a colon"));
    if (is_root_ && user_.uid != 0) let_through(source);
    fs::path shown = source;
    if (source.native().find(':') != std::string::npos) {  // it would be taken for the end of the source
      shown = concat("./link-", count_++);
      fs::create_symlink(source, scratch_.path() / shown);
    }
    add("-b", concat(shown.native(), ":", dest));
  }

  // /dev is a directory of ours with those nodes of the machine that containers have; the step's own changes
  // to it are lost, as they are in containers.
  void bind_machine() {
    for (const char* place : {"/proc", "/dev", "/sys"}) stubs_.add(place, MountStubs::Kind::Directory);
    for (const char* place : {"/proc", "/sys"})
      if (fs::exists(place)) bind(place, place);
    add_device_links(dev_);
    bind(dev_, "/dev");
    bind_devices(dev_);
    bind_file("hosts", "/etc/hosts", hosts_file_of_machine(spec_.hostname, spec_.extra_hosts));
    bind_file("resolv.conf", "/etc/resolv.conf", resolver_file(spec_.network, "/"));
  }

  // What a step removes at a binding is removed at its source, and root may remove the machine's own nodes.
  void bind_devices(const fs::path& dev) {
    // In a user namespace the kernel refuses device nodes, whatever the capabilities.
    if (is_root_ && has_capability(CAP_MKNOD) && !is_user_namespace(read_own_uid_map()))
      return make_device_nodes(dev);
    for (const char* name : step_device_names()) {
      const fs::path node = fs::path("/dev") / name;
      if (!fs::exists(node)) continue;
      touch(dev / name);
      bind(node, node.native());
    }
  }

  // proot brings the whole machine to the step with an emulator, at /host-rootfs, where "find / -delete"
  // would find it. A directory that has nothing but a copy of the emulator serves as well.
  void add_emulator(const fs::path& program) {
    add("-q", program.native());
    stubs_.add("/host-rootfs", MountStubs::Kind::Directory);
    stubs_.add("/etc/ld.so.preload", MountStubs::Kind::File);  // proot covers it
    const fs::path machine = new_directory("machine", 0755);
    const fs::path place = machine / program.relative_path();
    fs::create_directories(place.parent_path());
    fs::copy_file(program, place);
    bind(machine, "/host-rootfs");
  }

  void bind_file(const char* name, const char* dest, const std::string& text) {
    const fs::path file = scratch_.path() / name;
    write_file_atomic(file, text, Durability::None, 0644);
    ::chmod(file.c_str(), 0644);  // whatever the umask
    bind(file, stubs_.add(dest, MountStubs::Kind::File));
  }

  void add_mounts() {
    for (const SandboxMount& mount : spec_.mounts) {
      struct stat status {};
      if (::stat(mount.source.c_str(), &status) != 0) throw SystemError(errno, "stat", mount.source.native());
      const bool is_directory = S_ISDIR(status.st_mode);
      bind(fs::absolute(mount.source),
           add_stub(mount.dest, is_directory ? MountStubs::Kind::Directory : MountStubs::Kind::File));
      if (is_directory) make_working_directory_in(mount);
    }
    for (const SandboxTmpfs& tmpfs : spec_.tmpfs)
      bind(new_directory(concat("tmpfs-", count_++), 01777),
           add_stub(tmpfs.dest, MountStubs::Kind::Directory));
    for (const SandboxSecretFile& secret : spec_.secrets) add_secret(secret);
    for (const SandboxAgentSocket& agent : spec_.agents) {
      const fs::path socket = scratch_.path() / concat("agent-", count_++);
      agents_.push_back(std::make_unique<AgentSocket>(socket, agent.agent));
      if (is_root_) {
        agents_.back()->give_to(agent.uid, agent.gid, agent.mode & 0777);
      } else {
        ::chmod(socket.c_str(), agent.mode & 0777);
      }
      bind(socket, add_stub(agent.dest, MountStubs::Kind::File));
    }
  }

  // What is below another mount is made there, where nothing of it is in the way of the result.
  std::string add_stub(const std::string& dest, MountStubs::Kind kind) {
    const auto covered = [&](std::string_view place) { return dest != place && is_below(dest, place); };
    const auto covers = [&](const auto& mount) { return covered(mount.dest); };
    const bool under_mount =
        std::ranges::any_of(spec_.mounts, covers) || std::ranges::any_of(spec_.tmpfs, covers);
    if (under_mount || covered("/dev") || covered("/proc") || covered("/sys")) return dest;
    return stubs_.add(dest, kind);
  }

  // proot would start the step in / instead.
  void make_working_directory_in(const SandboxMount& mount) const {
    if (!is_below(spec_.cwd, mount.dest)) return;
    const RootedDir source(mount.source);
    source.make_directories(concat("/", std::string_view(spec_.cwd).substr(mount.dest.size())), {});
  }

  void add_secret(const SandboxSecretFile& secret) {
    if (!secrets_) secrets_.emplace(scratch_.path());
    const fs::path file = secrets_->path() / std::to_string(count_++);
    write_file_atomic(file, secret.value.reveal(), Durability::None, 0600);
    // Unprivileged, everything is the caller's: the step must be able to read it.
    if (is_root_) give(file, secret.uid, secret.gid);
    if (::chmod(file.c_str(), secret.mode & 07777) != 0) throw SystemError(errno, "chmod", secret.dest);
    bind(file, add_stub(secret.dest, MountStubs::Kind::File));
  }

  const SandboxSpec& spec_;
  const Proot& proot_;
  const bool is_root_;  ///< and may become others: not in a user namespace of one id
  RootedDir root_;
  TempDir scratch_;
  std::optional<SecretDirectory> secrets_;
  const fs::path dev_;
  const ProotFirst first_;
  ResolvedUser user_;
  MountStubs stubs_;
  std::vector<std::string> arguments_;
  std::vector<std::unique_ptr<AgentSocket>> agents_;
  unsigned count_ = 0;
};

class ProotSandbox final : public Sandbox {
 public:
  ProotSandbox(const fs::path& state_directory, Logger& logger) : logger_(logger) {
    require_isolation(Isolation::Proot);
    fs::create_directories(state_directory);
    proot_.program = *find_program("proot");
    SecretDirectory::remove_dead();
    const ProcessResult normal = try_out(state_directory);
    if (!normal.ok()) {
      proot_.without_seccomp = true;
      if (!try_out(state_directory).ok()) throw_unfit(normal.err);
    }
  }

  SandboxResult run(const SandboxSpec& spec, const Output& on_output, std::stop_token stop) override {
    if (spec.args.empty() || spec.args.front().empty()) throw InvalidInput("a step has no program to run");
    if (stop.stop_requested()) throw Cancelled{};
    // It loads programs itself, so the kernel is not asked who emulates.
    if (spec.execution.kind == Execution::Kind::HostBinfmt)
      throw HostError("proot does not use the host's registered emulators");
    return ProotRun(spec, proot_, logger_).run(on_output, stop);
  }

  MountMeans mount_means() const override { return MountMeans::Binding; }
  Isolation isolation_of(const Execution&) const override { return Isolation::Proot; }
  std::string describe() const override { return "proot"; }

 private:
  ProcessResult try_out(const fs::path& state_directory) const {
    const auto program = find_program("true");
    const TempDir temp(state_directory, "proot");  // what it unpacks there stays if it is killed
    Command command{
        .argv = {proot_.program.native(), "-v", "-1", "-w", "/", program ? program->native() : "/bin/true"}};
    command.environment = {"PATH=/usr/bin:/bin", "PROOT_TMP_DIR=" + temp.path().native()};
    if (proot_.without_seccomp) command.environment->emplace_back("PROOT_NO_SECCOMP=1");
    return run_process(command);
  }

  [[noreturn]] void throw_unfit(std::string_view said) const {
    HostError error(concat(proot_.program.native(), " does not work here: ", trim(said)));
    error.set_hint("it needs ptrace(2): allow it in the container's seccomp profile");
    throw error;
  }

  Logger& logger_;
  Proot proot_;
};

}  // namespace

std::unique_ptr<Sandbox> make_proot_sandbox(const fs::path& state_directory, Logger& logger) {
  return std::make_unique<ProotSandbox>(state_directory, logger);
}

}  // namespace slipway
