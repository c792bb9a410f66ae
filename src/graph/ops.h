#pragma once
// The operations of a build, shaped after BuildKit's LLB so that any subgraph can travel to any node that
// speaks it. Typed structs here; their wire form is in graph/codec.h.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "platforms/platform.h"

namespace slipway {

/// Where bytes come from: "docker-image://NAME@DIGEST", "local://NAME", "oci-layout://NAME@DIGEST",
/// "git://HOST/PATH#REF:SUBDIR", "https://…" and "http://…" (a tree with one file).
struct SourceOp {
  std::string identifier;
  std::map<std::string, std::string> attrs;
  bool operator==(const SourceOp&) const = default;
};
/// Attribute of a local source: JSON array of .dockerignore patterns in order.
inline constexpr const char* kAttrExcludePatterns = "local.excludepatterns";
/// Attributes of git sources: the URL as written, "true" to keep .git, the commit that must be found (a
/// prefix of its id), "true" to leave submodules alone.
inline constexpr const char* kAttrGitFullUrl = "git.fullurl";
inline constexpr const char* kAttrGitKeepDir = "git.keepgitdir";
inline constexpr const char* kAttrGitChecksum = "git.checksum";
inline constexpr const char* kAttrGitSkipSubmodules = "git.skipsubmodules";
/// Attributes of http sources: digest that the bytes must have, name of the file in the tree.
inline constexpr const char* kAttrHttpChecksum = "http.checksum";
inline constexpr const char* kAttrHttpFilename = "http.filename";
/// Attribute of an oci-layout source: the name of the layout that the caller gave.
inline constexpr const char* kAttrOciStore = "oci.store";

enum class MountType { Bind = 0, Secret = 1, Ssh = 2, Cache = 3, Tmpfs = 4 };
inline constexpr int kNoInput = -1;
inline constexpr int kNoOutput = -1;

struct SecretMount {
  std::string id;
  unsigned uid = 0, gid = 0, mode = 0400;
  bool optional = true;
  bool operator==(const SecretMount&) const = default;
};

/// Forwards an ssh agent's socket of the caller.
struct SshMount {
  std::string id;
  unsigned uid = 0, gid = 0, mode = 0600;
  bool optional = true;
  bool operator==(const SshMount&) const = default;
};

enum class CacheSharing { Shared = 0, Private = 1, Locked = 2 };

/// A directory that outlives builds; its content is in no cache key. A new one starts as the mount's input.
struct CacheMount {
  std::string id;
  CacheSharing sharing = CacheSharing::Shared;
  bool operator==(const CacheMount&) const = default;
};

/// Whether what is read through a mount may stand for its input in a key; a hint.
enum class ContentCache { Default = 0, On = 1, Off = 2 };

struct Mount {
  MountType type = MountType::Bind;
  int input = kNoInput;    ///< index into the vertex's inputs, kNoInput for an empty tree
  std::string selector;    ///< path within the input
  std::string dest;        ///< "/" is the root
  int output = kNoOutput;  ///< 0 for the root of a step: its result; kNoOutput: what is written is dropped
  bool readonly = false;
  std::optional<SecretMount> secret;  ///< set if type is Secret
  std::optional<SshMount> ssh;        ///< set if type is Ssh
  std::optional<CacheMount> cache;    ///< set if type is Cache
  std::int64_t tmpfs_size = 0;        ///< bytes, of a Tmpfs; 0: no limit of its own
  std::string result_id;              ///< for caches that others fill; says nothing here
  ContentCache content_cache = ContentCache::Default;
  bool operator==(const Mount&) const = default;
};

struct SecretEnv {
  std::string id, name;
  bool optional = true;
  bool operator==(const SecretEnv&) const = default;
};

enum class NetworkMode { Sandbox = 0, Host = 1, None = 2 };

/// Insecure steps keep all capabilities and see the devices; the caller must have allowed it.
enum class SecurityMode { Sandbox = 0, Insecure = 1 };

/// Proxy variables: given to the process, kept out of history and of the cache key.
struct ProxyEnv {
  std::string http_proxy, https_proxy, ftp_proxy, no_proxy, all_proxy;
  bool operator==(const ProxyEnv&) const = default;
};

/// A device by its CDI name ("vendor.com/class=name").
struct DeviceRequest {
  std::string name;
  bool optional = false;
  bool operator==(const DeviceRequest&) const = default;
};

/// A line of the step's /etc/hosts.
struct ExtraHost {
  std::string host, address;
  bool operator==(const ExtraHost&) const = default;
};

/// A resource limit of the step's processes (getrlimit(2)); -1: none.
struct Ulimit {
  std::string name;  ///< "nofile"
  std::int64_t soft = 0, hard = 0;
  bool operator==(const Ulimit&) const = default;
};

struct ExecOp {
  std::vector<std::string> args;
  std::vector<std::string> env;  ///< KEY=VALUE
  std::string cwd = "/";
  std::string user;           ///< as in USER; empty is root
  std::string hostname;       ///< empty: the runner's choice
  std::vector<Mount> mounts;  ///< the root ("/", input 0, output 0) among them
  std::vector<SecretEnv> secret_env;
  NetworkMode network = NetworkMode::Sandbox;
  SecurityMode security = SecurityMode::Sandbox;
  std::vector<DeviceRequest> devices;
  std::optional<ProxyEnv> proxy;
  std::vector<ExtraHost> extra_hosts;
  std::vector<Ulimit> ulimits;
  std::string cgroup_parent;          ///< no step of slipway's can have one
  bool remove_mount_stubs = false;    ///< the directories that lead to places of mounts go with them
  std::vector<int> valid_exit_codes;  ///< empty: 0
  bool operator==(const ExecOp&) const = default;
};

/// Owner of copied or created files. Names are looked up in the passwd and group files of the tree that is
/// changed.
struct Owner {
  std::string user,
      group;  ///< name or number; empty group: the user's own if user is a name, else the same number
  bool operator==(const Owner&) const = default;
};

/// What is made gets this time, in nanoseconds since the epoch; absent: its own, or now.
using Timestamp = std::optional<std::int64_t>;

/// In an action, index < number of vertex inputs is an input; index - number of inputs is an earlier action
/// of the same op; kNoInput is an empty tree.
struct CopyAction {
  int base = kNoInput;           ///< the tree that is changed
  int from = kNoInput;           ///< the tree that is read
  std::string src, dest;         ///< absolute within their trees; src may hold Go filepath.Match wildcards
  std::optional<Owner> owner;    ///< absent: as in the source tree (contexts: 0:0)
  std::optional<unsigned> mode;  ///< --chmod in octal
  std::string mode_change;       ///< --chmod in symbols ("u+x,go-w"); empty if mode is set or nothing changes
  bool follow_symlink = true;    ///< of src itself
  bool copy_dir_contents = true;  ///< a directory src gives what is in it, not itself
  bool create_dest_path = true;
  bool allow_wildcard = true;
  bool allow_empty_wildcard = false;
  bool attempt_unpack = false;  ///< ADD: what is a local archive is unpacked at dest, the rest is copied
  /// --parents: src is the directory that the kept part of the paths begins at (the root, or what stands
  /// before
  /// "/./"), include what follows, as a pattern ("**" is any depth) below src; what it selects goes to dest
  /// with its path below src. required repeats it if it has no wildcard: then it must exist.
  std::vector<std::string> include;   ///< relative to src; empty: everything
  std::vector<std::string> exclude;   ///< relative to src
  std::vector<std::string> required;  ///< relative to src: each must select something
  bool always_replace = false;        ///< what is in the way is removed first; no step of slipway's does that
  Timestamp timestamp;
  bool operator==(const CopyAction&) const = default;
};
struct MkdirAction {
  int base = kNoInput;
  std::string path;
  unsigned mode = 0755;
  bool make_parents = true;
  std::optional<Owner> owner;
  Timestamp timestamp;
  bool operator==(const MkdirAction&) const = default;
};
struct MkfileAction {
  int base = kNoInput;
  std::string path;
  unsigned mode = 0644;
  std::string data;
  std::optional<Owner> owner;
  Timestamp timestamp;
  bool operator==(const MkfileAction&) const = default;
};
struct RmAction {
  int base = kNoInput;
  std::string path;
  bool allow_not_found = false;
  bool allow_wildcard = false;
  bool operator==(const RmAction&) const = default;
};
/// A symbolic link at `path`; what it says may be anything.
struct SymlinkAction {
  int base = kNoInput;
  std::string target, path;
  std::optional<Owner> owner;
  Timestamp timestamp;
  bool operator==(const SymlinkAction&) const = default;
};
using FileAction = std::variant<CopyAction, MkdirAction, MkfileAction, RmAction, SymlinkAction>;

/// Actions in order; the result of the last is the result of the vertex.
struct FileOp {
  std::vector<FileAction> actions;
  bool operator==(const FileOp&) const = default;
};

/// The inputs laid over one another, the first at the bottom: what each changed against its own empty base.
/// Nothing of a lower tree is looked at to do so, so an upper one keeps its layer when a lower one changes.
struct MergeOp {
  bool operator==(const MergeOp&) const = default;
};

/// What `upper` changes of `lower`: a tree with what is new or other, and, where it is merged over others,
/// the deletions too. kNoInput is an empty tree.
struct DiffOp {
  int lower = kNoInput, upper = kNoInput;
  bool operator==(const DiffOp&) const = default;
};

/// An edge to another vertex. slipway's own ops have one output; of others, only one is ever used.
struct Input {
  Digest vertex;
  int index = 0;  ///< which of its outputs
  bool operator==(const Input&) const = default;
};

struct Op {
  std::vector<Input> inputs;
  std::variant<SourceOp, ExecOp, FileOp, MergeOp, DiffOp> what;
  /// Set where the result depends on it: Exec and image sources. File ops and local sources have none, which
  /// is why equal ones of two platforms are one vertex.
  std::optional<Platform> platform;
  /// Filters on who may run it, if the op says anything of them.
  std::optional<std::vector<std::string>> constraints = {};
};

}  // namespace slipway
