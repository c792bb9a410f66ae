#pragma once
// What crun (or runc) is given for one step: config.json and all that it names.
//
// Everything that belongs to it (bundle, the runtime's state, secrets, log, the private binfmt_misc) lives in
// a tmpfs mounted on the step's scratch directory: secrets, in files or in config.json's environment (which
// crun copies into its state), are in memory only, and whatever ends us takes them away with our mount
// namespace.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/logger.h"
#include "base/rooted.h"
#include "runtime/agent_socket.h"
#include "runtime/mount_stubs.h"
#include "runtime/oci_spec.h"
#include "runtime/sandbox.h"
#include "runtime/users.h"

namespace slipway {

class ScratchTmpfs {
 public:
  explicit ScratchTmpfs(const std::filesystem::path& directory);
  ~ScratchTmpfs();
  ScratchTmpfs(const ScratchTmpfs&) = delete;
  ScratchTmpfs& operator=(const ScratchTmpfs&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// In place for as long as it lives; mount points made in the root go before the scratch does.
class CrunBundle {
 public:
  /// `fresh_proc`: the step gets a /proc of its own instead of ours.
  CrunBundle(const SandboxSpec& spec, bool fresh_proc, Logger& logger);
  /// Throws InvalidInput for what the image or the step asks in vain, HostError, SystemError.
  void write();
  const std::filesystem::path& path() const { return scratch_.path(); }

 private:
  std::string build_spec();
  void put_under_init(OciSpecInput& input);
  void add_system_place(const char* place);
  ResolvedUser user_in_maps();
  void add_network_files(OciSpecInput& input);
  void add_mounts(OciSpecInput& input);
  OciMount bind_mount(const SandboxMount& mount);
  OciMount tmpfs_mount(const SandboxTmpfs& tmpfs);
  std::string add_stub(const std::string& dest, MountStubs::Kind kind);
  std::filesystem::path scratch_directory(const char* name);
  void add_secrets(std::vector<OciMount>& mounts);
  void add_agents(std::vector<OciMount>& mounts);

  const SandboxSpec& spec_;
  const bool fresh_proc_;
  RootedDir root_;
  ScratchTmpfs scratch_;
  MountStubs stubs_;
  std::vector<std::unique_ptr<AgentSocket>> agents_;
};

}  // namespace slipway
