#pragma once
// The config.json of a bundle (OCI runtime-spec 1.0.2): what a step may see and do, as text. Pure.
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/sandbox.h"
#include "runtime/users.h"

namespace slipway {

struct OciMount {
  std::filesystem::path source;  ///< empty: a tmpfs
  std::string dest;
  bool readonly = true;
  bool recursive = true;             ///< with what is mounted below the source
  std::vector<std::string> options;  ///< further ones: "nodev", "size=…"
};

struct OciSpecInput {
  std::filesystem::path rootfs;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd;
  std::string hostname;
  ResolvedUser user;
  std::vector<OciMount> mounts;
  std::vector<Ulimit> ulimits;
  bool no_new_privileges = false;
  bool own_network = false;
  /// Not empty: the step is not confined. It keeps these capabilities, calls what it likes and sees all of
  /// /proc and /sys.
  std::vector<std::string> all_capabilities;
  bool fresh_proc = true;  ///< else the caller's /proc is bound: it shows the processes of others, too
  bool in_user_namespace = false;  ///< where a fresh sysfs of the host's network is refused
  bool tty_group_mapped = true;    ///< gid 5
};

std::string oci_spec(const OciSpecInput& input);

}  // namespace slipway
