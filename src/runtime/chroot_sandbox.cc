// One step by chroot(2), where neither namespaces nor mounts are to be had. What containers get by mounts is
// put into the root before the step and taken out after it (root_inserts.h): /dev with the few nodes that
// programs need, copies of what /proc says of the machine, hosts and resolv.conf, secrets, and the sources of
// the step's own mounts, which are moved there and back.
//
// What keeps a step in: it has no capability to leave the root (CAP_SYS_CHROOT), to make device nodes, or to
// trace processes of ours, which have more than it has; and no open directory. What nothing keeps it from:
// signals to processes of its user's, and the network.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/rooted.h"
#include "base/strings.h"
#include "runtime/agent_socket.h"
#include "runtime/capabilities.h"
#include "runtime/network_files.h"
#include "runtime/proc_files.h"
#include "runtime/resource_limits.h"
#include "runtime/root_inserts.h"
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

// --- in the child ----------------------------------------------------------------------------------------

/// Everything between fork and exec, prepared before the fork; enter() makes system calls only.
class ChrootChild {
 public:
  enum class Stage : int { NotFailed, Limits, Root, Directory, User, Capabilities, Exec };

  ChrootChild(const fs::path& root, const SandboxSpec& spec, const ResolvedUser& user, std::string program,
              std::vector<std::string> env)
      : root_(root.native()),
        cwd_(spec.cwd),
        program_(std::move(program)),
        args_(spec.args),
        env_(std::move(env)),
        groups_(user.groups.begin(), user.groups.end()),
        ulimits_(spec.ulimits),
        no_new_privileges_(spec.no_new_privileges),
        uid_(user.uid),
        gid_(user.gid) {
    keep_ = chroot_step_capabilities() & effective_capabilities();
    for (std::string& arg : args_) argv_.push_back(arg.data());
    for (std::string& variable : env_) envp_.push_back(variable.data());
    argv_.push_back(nullptr);
    envp_.push_back(nullptr);
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw SystemError(errno, "mmap");
    shared_ = new (memory) Shared{};
  }
  ~ChrootChild() { ::munmap(shared_, sizeof(Shared)); }
  ChrootChild(const ChrootChild&) = delete;
  ChrootChild& operator=(const ChrootChild&) = delete;

  /// Does not return.
  int enter() const noexcept {
    if (const int error = fork_under_keeper()) return error;
    const pid_t keeper = ::getppid();
    ::setsid();
    ::umask(022);
    ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (ulimits_.apply() != 0) fail(Stage::Limits);
    if (::chroot(root_.c_str()) != 0 || ::chdir("/") != 0) fail(Stage::Root);
    if (::setgroups(groups_.size(), groups_.data()) != 0 || ::setresgid(gid_, gid_, gid_) != 0)
      fail(Stage::User);
    if (limit_capabilities(keep_) != 0) fail(Stage::Capabilities);
    if (::setresuid(uid_, uid_, uid_) != 0) fail(Stage::User);
    if (no_new_privileges_ && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(Stage::Capabilities);
    // As the step's user, who may have no right to be there.
    if (::chdir(cwd_.c_str()) != 0) fail(Stage::Directory);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // changed credentials cancelled it
    if (::getppid() != keeper) ::_exit(125);
    execute();
  }

  Stage stage() const { return shared_->stage; }
  int error_number() const { return shared_->error_number; }

 private:
  struct Shared {
    Stage stage = Stage::NotFailed;
    int error_number = 0;
  };

  [[noreturn]] void fail(Stage stage) const noexcept {
    shared_->stage = stage;
    shared_->error_number = errno;
    ::_exit(125);
  }

  // A program that was just written may still be open for writing in a child that another thread of ours
  // forked and that has not yet reached its own exec: that passes within milliseconds.
  [[noreturn]] void execute() const noexcept {
    constexpr int kMaxTries = 8;
    for (int tries = 0; tries < kMaxTries; ++tries) {
      ::execve(program_.c_str(), argv_.data(), envp_.data());
      if (errno != ETXTBSY) break;
      const struct timespec pause { .tv_sec = 0, .tv_nsec = 5'000'000L << tries };
      ::nanosleep(&pause, nullptr);
      errno = ETXTBSY;
    }
    fail(Stage::Exec);
  }

  std::string root_, cwd_, program_;
  std::vector<std::string> args_, env_;
  std::vector<char*> argv_, envp_;
  std::vector<gid_t> groups_;
  const ResourceLimits ulimits_;
  const bool no_new_privileges_;
  uid_t uid_;
  gid_t gid_;
  CapabilitySet keep_ = 0;
  Shared* shared_;
};

// --- one step --------------------------------------------------------------------------------------------

/// Looks for places in a step's output that only a mounted /proc makes work.
class ProcMentions {
 public:
  void look(std::string_view bytes) {
    constexpr std::size_t kLongestName = 16;
    tail_ += bytes;
    for (const char* name : {"/proc", "/dev/fd"}) seen_ = seen_ || tail_.find(name) != std::string::npos;
    if (tail_.size() > kLongestName) tail_.erase(0, tail_.size() - kLongestName);
  }
  bool seen() const { return seen_; }

 private:
  std::string tail_;
  bool seen_ = false;
};

class ChrootRun {
 public:
  ChrootRun(const SandboxSpec& spec, Logger& logger)
      : spec_(spec),
        root_(spec.rootfs),
        scratch_(fs::absolute(spec.scratch), "chroot"),
        user_(resolve_user(root_, spec.user)),
        inserts_(root_, new_directory("aside"), logger) {}

  SandboxResult run(const Output& on_output, const std::stop_token& stop) {
    furnish();
    const StepProgram program = find_step_program(spec_, root_);
    if (program.path.empty()) return not_started(on_output, program.found ? EACCES : ENOENT);
    const ChrootChild child(fs::absolute(spec_.rootfs), spec_, user_, program.path,
                            step_environment(spec_, user_));
    Command command;
    command.argv = {program.path};  // never reached: the child executes it itself, in the root
    command.child_setup = [&child] { return child.enter(); };
    command.output_fifos = {devices_ / "stdout", devices_ / "stderr"};
    command.grace = kKillDeadline;
    ProcMentions mentions;
    const ProcessResult result = run_step_process(
        std::move(command),
        [&](int stream, std::string_view bytes) {
          if (stream == 2) mentions.look(bytes);
          if (on_output) on_output(stream, bytes);
        },
        stop);
    if (child.stage() == ChrootChild::Stage::Exec) return not_started(on_output, child.error_number());
    if (child.stage() != ChrootChild::Stage::NotFailed) throw_failed(child);
    if (result.exit_code != 0 && mentions.seen() && on_output)
      on_output(2,
                "slipway: this step ran by chroot, without a /proc of its own; --isolation=proot has one\n");
    return {.exit_code = result.exit_code, .peak_memory = result.peak_memory};
  }

 private:
  fs::path new_directory(const char* name, unsigned mode = 0755) {
    fs::path directory = scratch_.path() / name;
    fs::create_directory(directory);
    ::chmod(directory.c_str(), mode);
    return directory;
  }

  void furnish() {
    refuse_what_needs_namespaces(spec_, Isolation::Chroot);
    ensure_working_directory(spec_, root_, user_);
    const fs::path dev = new_directory("dev"), proc = new_directory("proc");
    make_device_nodes(dev);
    add_output_pipes(dev);
    copy_proc_files("/proc", proc);
    devices_ = fs::absolute(spec_.rootfs) / inserts_.add_moved("/dev", dev).substr(1);
    inserts_.add_moved("/proc", proc);
    inserts_.add_moved("/sys", new_directory("sys"));
    inserts_.add_file("/etc/hosts", hosts_file_of_machine(spec_.hostname, spec_.extra_hosts), {});
    inserts_.add_file("/etc/resolv.conf", resolver_file(spec_.network, "/"), {});
    add_mounts();
    // In one of the mounts, where nothing of it stays.
    if (!root_.stat(spec_.cwd, /*follow=*/true))
      root_.make_directories(spec_.cwd, {.mode = 0755, .uid = user_.uid, .gid = user_.gid});
  }

  // A place comes after those it is in: a path sorts after what it begins with.
  void add_mounts() {
    std::vector<std::pair<std::string, std::function<void()>>> adds;
    for (const SandboxMount& mount : spec_.mounts) adds.emplace_back(mount.dest, [&] { add_bind(mount); });
    for (const SandboxTmpfs& tmpfs : spec_.tmpfs)
      adds.emplace_back(tmpfs.dest, [&] {
        inserts_.add_moved(tmpfs.dest, new_directory(concat("tmpfs-", count_++).c_str(), 01777));
      });
    for (const SandboxSecretFile& secret : spec_.secrets)
      adds.emplace_back(secret.dest, [&] {
        inserts_.add_file(
            secret.dest, secret.value.reveal(),
            {.uid = secret.uid, .gid = secret.gid, .mode = secret.mode & 07777, .secret = true});
      });
    for (const SandboxAgentSocket& agent : spec_.agents)
      adds.emplace_back(agent.dest, [&] {
        const std::string place = inserts_.add_place(agent.dest);
        agents_.push_back(
            std::make_unique<AgentSocket>(fs::absolute(spec_.rootfs) / place.substr(1), agent.agent));
        agents_.back()->give_to(agent.uid, agent.gid, agent.mode & 0777);
      });
    std::ranges::stable_sort(adds, {}, [](const auto& add) { return add.first; });
    for (const auto& [dest, add] : adds) add();
  }

  void add_bind(const SandboxMount& mount) {
    struct stat status {};
    const bool there = ::stat(mount.source.c_str(), &status) == 0;
    if (mount.devices) return there ? add_device(mount, status) : throw_no_source(mount);
    // One directory at two places of a step: the second place leads to the first.
    if (const auto first = std::ranges::find(moved_, mount.source, &Moved::source); first != moved_.end())
      return inserts_.add_link(mount.dest, first->dest);
    if (!there) throw_no_source(mount);
    if (mount.lasting) {
      inserts_.add_lasting(mount.dest, mount.source, spec_.rootfs);
    } else {
      inserts_.add_moved(mount.dest, mount.source);
    }
    moved_.push_back({mount.source, mount.dest});
  }

  [[noreturn]] static void throw_no_source(const SandboxMount& mount) {
    throw SystemError(errno, "stat", mount.source.native());
  }

  void add_device(const SandboxMount& mount, const struct stat& status) {
    const bool is_device = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode);
    const std::string place = is_device ? inserts_.add_place(mount.dest) : "";
    const fs::path path = fs::absolute(spec_.rootfs) / (is_device ? place.substr(1) : "");
    if (is_device && ::mknod(path.c_str(), status.st_mode, status.st_rdev) == 0 &&
        ::chmod(path.c_str(), status.st_mode & 07777) == 0)
      return;
    HostError error(
        concat("the device at ", mount.dest, " needs a mount, which isolation by chroot does not have"));
    error.set_hint("build where namespaces are allowed (--isolation=oci)");
    throw error;
  }

  // As a shell says it.
  SandboxResult not_started(const Output& on_output, int error_number) const {
    const bool missing = error_number == ENOENT;
    if (on_output)
      on_output(2, concat(spec_.args.front(), ": ",
                          missing ? "not found" : std::generic_category().message(error_number), "\n"));
    return {.exit_code = missing ? 127 : 126};
  }

  [[noreturn]] void throw_failed(const ChrootChild& child) const {
    const std::string reason = std::generic_category().message(child.error_number());
    switch (child.stage()) {
      case ChrootChild::Stage::User:
        throw HostError(concat("the step runs as user ", user_.uid, ":", user_.gid,
                               ", which cannot be had here: ", reason));
      case ChrootChild::Stage::Limits:
        throw HostError(concat("--ulimit: this machine does not allow it: ", reason));
      case ChrootChild::Stage::Directory:
        throw InvalidInput(concat("the working directory \"", spec_.cwd, "\": ", reason));
      case ChrootChild::Stage::Capabilities:
        throw HostError(concat("cannot drop the capabilities of a step: ", reason));
      default:
        throw HostError(concat("chroot to ", spec_.rootfs.native(), ": ", reason));
    }
  }

  struct Moved {
    fs::path source;
    std::string dest;
  };

  const SandboxSpec& spec_;
  RootedDir root_;
  TempDir scratch_;
  ResolvedUser user_;
  RootInserts inserts_;
  fs::path devices_;
  std::vector<Moved> moved_;
  std::vector<std::unique_ptr<AgentSocket>> agents_;
  unsigned count_ = 0;
};

class ChrootSandbox final : public Sandbox {
 public:
  ChrootSandbox(const fs::path& state_directory, Logger& logger)
      : state_directory_(state_directory), logger_(logger) {
    require_isolation(Isolation::Chroot);
    // Whoever has this process's user could otherwise look into its memory.
    ::prctl(PR_SET_DUMPABLE, 0);
  }

  SandboxResult run(const SandboxSpec& spec, const Output& on_output, std::stop_token stop) override {
    if (spec.args.empty() || spec.args.front().empty()) throw InvalidInput("a step has no program to run");
    if (stop.stop_requested()) throw Cancelled{};
    if (isolation_of(spec.execution) == Isolation::Proot) return proot().run(spec, on_output, stop);
    return ChrootRun(spec, logger_).run(on_output, stop);
  }

  MountMeans mount_means() const override { return MountMeans::Moving; }
  // A private binfmt_misc needs a user namespace.
  Isolation isolation_of(const Execution& execution) const override {
    return execution.kind == Execution::Kind::PrivateBinfmt ? Isolation::Proot : Isolation::Chroot;
  }
  std::string describe() const override { return "chroot"; }

 private:
  Sandbox& proot() {
    std::call_once(proot_made_, [this] { proot_ = make_proot_sandbox(state_directory_, logger_); });
    return *proot_;
  }

  const fs::path state_directory_;
  Logger& logger_;
  std::once_flag proot_made_;
  std::unique_ptr<Sandbox> proot_;
};

}  // namespace

std::unique_ptr<Sandbox> make_chroot_sandbox(const fs::path& state_directory, Logger& logger) {
  return std::make_unique<ChrootSandbox>(state_directory, logger);
}

}  // namespace slipway
