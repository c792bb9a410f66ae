#pragma once
// One step's process in isolation. How it is isolated is this interface; nothing above it knows.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "base/secret.h"
#include "graph/ops.h"
#include "qemu/emulator.h"
#include "runtime/isolation.h"
#include "runtime/step_cgroup.h"

namespace slipway {

/// A directory or file of the host's, bind-mounted.
struct SandboxMount {
  std::filesystem::path source;
  std::string dest;
  bool readonly = true;
  bool devices = false;  ///< device nodes in it can be opened
  bool lasting = false;  ///< a directory that outlives the step, even if whoever runs that is killed
  bool nosuid = false;   ///< its programs get nobody's rights
};
struct SandboxTmpfs {
  std::string dest;
  std::uint64_t size = 0;  ///< bytes; 0: as much as the machine gives
  bool readonly = false;
};
struct SandboxSecretFile {
  std::string dest;
  Secret value;
  unsigned uid = 0, gid = 0, mode = 0400;
};
/// A socket at which the step meets an ssh agent of the caller's (agent_socket.h).
struct SandboxAgentSocket {
  std::string dest;
  std::filesystem::path agent;
  unsigned uid = 0, gid = 0, mode = 0600;
};

struct SandboxSpec {
  std::string id;                 ///< unique on this machine, [a-z0-9-]
  std::filesystem::path rootfs;   ///< writable merged tree
  std::filesystem::path scratch;  ///< an empty directory of the caller's for the bundle
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  std::string user;  ///< USER's value; looked up in the rootfs
  /// Mounts of all kinds are done in the order of their places, outer ones first; of two at one place the
  /// later one in this order of members is seen.
  std::vector<SandboxMount> mounts;
  std::vector<SandboxTmpfs> tmpfs;
  std::vector<SandboxSecretFile> secrets;
  std::vector<SandboxAgentSocket> agents;
  std::vector<std::pair<std::string, Secret>> secret_env;
  NetworkMode network = NetworkMode::Sandbox;  ///< the host's too, as that needs nothing of the machine
  SecurityMode security = SecurityMode::Sandbox;
  Execution execution;
  std::string hostname = "slipway";
  std::vector<ExtraHost> extra_hosts;
  std::vector<Ulimit> ulimits;
  StepLimits limits;
  bool no_new_privileges = false;  ///< programs of the image cannot gain any: no sudo, no su
};

struct SandboxResult {
  int exit_code = 0;                ///< 128 + signal if killed
  bool out_of_memory = false;       ///< the kernel killed something of it for want of memory
  bool too_many_processes = false;  ///< it wanted more than StepLimits::pids
  std::uint64_t peak_memory = 0;    ///< bytes, more or less; 0: not known
};

/// What the sources of SandboxSpec::mounts have to be.
enum class MountMeans {
  Kernel,   ///< anything: the kernel mounts them, and keeps read-only ones as they are
  Binding,  ///< read-only ones must be copies for this step alone: nothing keeps it from writing to them
  Moving,  ///< all must be for this step alone, and on the root's file system: they are in the root meanwhile
};

/// Thread-safe: many steps at once.
class Sandbox {
 public:
  virtual ~Sandbox() = default;
  /// Blocks until the step's last process is gone. Output arrives on the calling thread. Leaves no process,
  /// no mount, and in the rootfs only what the step itself wrote (mount points made for it are removed
  /// again). Throws InvalidInput (unknown user), HostError/SystemError (the runtime could not start it),
  /// Cancelled.
  virtual SandboxResult run(const SandboxSpec& spec,
                            const std::function<void(int stream, std::string_view bytes)>& on_output,
                            std::stop_token stop) = 0;
  virtual MountMeans mount_means() const { return MountMeans::Kernel; }
  /// Which of the limits it cannot keep and why, as the end of a sentence; empty: all are kept.
  virtual std::string unkept(const StepLimits& limits) const;
  /// The tier that keeps a step apart which runs by `execution`.
  virtual Isolation isolation_of(const Execution&) const { return Isolation::Oci; }
  virtual std::string describe() const = 0;  ///< "crun 1.8.1, rootless"
};

// `state_directory`, of all of these: for what outlives a step; made if it is not there.

/// Runs steps by crun (or runc: `runtime`, a name or a path; empty: crun) in a bundle that we write. Throws
/// HostError naming the package if it is missing.
std::unique_ptr<Sandbox> make_crun_sandbox(const std::filesystem::path& state_directory, Logger& logger,
                                           const std::string& runtime = {});

/// Runs steps by chroot(2), or by proot what no native or host-registered emulator can: no namespaces, no
/// mounts, no private binfmt_misc. Throws HostError if this process cannot have that.
std::unique_ptr<Sandbox> make_chroot_sandbox(const std::filesystem::path& state_directory, Logger& logger);

/// Runs steps by proot (ptrace), without any privilege. Throws HostError if it is missing or does not work.
std::unique_ptr<Sandbox> make_proot_sandbox(const std::filesystem::path& state_directory, Logger& logger);

/// The one of these that `isolation` names.
std::unique_ptr<Sandbox> make_sandbox(Isolation isolation, const std::filesystem::path& state_directory,
                                      Logger& logger, const std::string& runtime = {});

}  // namespace slipway
