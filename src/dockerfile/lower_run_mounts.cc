// RUN --mount.
#include <algorithm>

#include "base/strings.h"
#include "dockerfile/paths.h"
#include "dockerfile/stage_lowering.h"

namespace slipway::dockerfile {
namespace {

constexpr const char* kCacheRoot = "/cache";

}  // namespace

std::string StageLowering::mount_target(const MountSpec& spec) {
  std::string target =
      resolve_path(working_dir(), spec.target ? expand(*spec.flag, *spec.target) : std::string());
  if (target == "/")
    fail(*spec.flag, spec.target ? "--mount: the target may not be the root directory"
                                 : "--mount: the target is missing: target=PATH says where the step sees it");
  return target;
}

/// The id that is given, as it is. Without one, a cache belongs to its target as written and to the platform
/// that the step runs on: what programs of different platforms keep in one directory (objects, modules,
/// wheels) does not mix.
std::string StageLowering::cache_id(const std::string& given, const std::string& target) const {
  const auto scope = build_.options.build_args.find("BUILDKIT_CACHE_MOUNT_NS");
  const std::string prefix = scope == build_.options.build_args.end() || scope->second.empty()
                                 ? std::string()
                                 : concat(scope->second, "/");
  if (!given.empty()) return concat(prefix, given);
  return concat(prefix, target, "@", state_.platform.str());
}

void StageLowering::add_tree_mount(const MountSpec& spec, Mount mount, Running& running) {
  const Tree tree = tree_of(mount_source(build_, source(), stage_, spec, lane_.target), spec.flag);
  const std::string path = spec.source ? clean_absolute(expand(*spec.flag, *spec.source)) : "/";
  std::optional<Digest> vertex = tree.vertex;
  if (tree.local && spec.type == MountType::Cache) {
    // A cache may have to change its first content's owner and mode, which takes a tree of our own.
    CopyAction copy;
    FileOpBuilder builder(std::nullopt);
    copy.from = builder.input(vertex);
    copy.src = path;
    copy.dest = "/";
    copy.owner = Owner{"0", "0"};
    copy.allow_wildcard = false;
    copy.copy_dir_contents = path == "/";
    builder.add(std::move(copy));
    vertex = add_internal(std::move(builder).op(),
                          concat("[internal] copy ", path, " of the build context for caches"));
    if (path != "/") mount.selector = concat("/", base_name(path));
  } else if (path != "/") {
    mount.selector = path;
  }
  if (path == "/" && (spec.uid || spec.gid || spec.mode)) {
    FileOpBuilder builder(vertex);
    MkdirAction directory;
    directory.path = mount.selector = kCacheRoot;
    directory.mode = spec.mode.value_or(0755);
    directory.owner = Owner{std::to_string(spec.uid.value_or(0)), std::to_string(spec.gid.value_or(0))};
    builder.add(std::move(directory));
    vertex = add_internal(std::move(builder).op(), "[internal] setting cache mount permissions");
  }
  mount.input = running.input(vertex);
  running.exec.mounts.push_back(std::move(mount));
}

void StageLowering::add_secret(const MountSpec& spec, Running& running) {
  std::optional<std::string> target;
  if (spec.target) target = expand(*spec.flag, *spec.target);
  if (target && target->empty()) target.reset();
  std::string id = spec.id ? expand(*spec.flag, *spec.id) : target ? base_name(*target) : std::string();
  if (id.empty()) fail(*spec.flag, "--mount=type=secret: the id is empty");
  if (spec.env) running.exec.secret_env.push_back({id, *spec.env, !spec.required});
  // A secret for the environment is no file too, unless one is asked for.
  if (spec.env && !target) return;
  Mount mount;
  mount.type = MountType::Secret;
  mount.dest = target ? resolve_path(working_dir(), *target) : concat("/run/secrets/", base_name(id));
  if (mount.dest == "/") fail(*spec.flag, "--mount=type=secret: the target may not be the root directory");
  mount.secret = SecretMount{std::move(id), spec.uid.value_or(0), spec.gid.value_or(0),
                             spec.mode.value_or(0400), !spec.required};
  running.exec.mounts.push_back(std::move(mount));
}

void StageLowering::add_ssh(const MountSpec& spec, Running& running) {
  ExecOp& exec = running.exec;
  const auto sockets = std::ranges::count(exec.mounts, MountType::Ssh, &Mount::type);
  const std::string target = spec.target ? expand(*spec.flag, *spec.target) : std::string();
  const std::string id = spec.id ? expand(*spec.flag, *spec.id) : std::string();
  Mount mount;
  mount.type = MountType::Ssh;
  mount.dest =
      target.empty() ? concat("/run/buildkit/ssh_agent.", sockets) : resolve_path(working_dir(), target);
  if (mount.dest == "/") fail(*spec.flag, "--mount=type=ssh: the target may not be the root directory");
  mount.ssh = SshMount{id.empty() ? "default" : id, spec.uid.value_or(0), spec.gid.value_or(0),
                       spec.mode.value_or(0600), !spec.required};
  const std::string variable = "SSH_AUTH_SOCK=";
  if (std::ranges::none_of(exec.env, [&](const std::string& entry) { return entry.starts_with(variable); }))
    exec.env.push_back(concat(variable, mount.dest));
  exec.mounts.push_back(std::move(mount));
}

void StageLowering::add_mount(const MountSpec& written, Running& running) {
  std::optional<MountSpec> settled;
  if (written.deferred)
    settled = read_mount(source(), *written.flag,
                         [&](std::string_view text) { return expand(*written.flag, std::string(text)); });
  const MountSpec& spec = settled ? *settled : written;
  Mount mount;
  mount.type = spec.type;
  switch (spec.type) {
    case MountType::Secret:
      return add_secret(spec, running);
    case MountType::Ssh:
      return add_ssh(spec, running);
    case MountType::Tmpfs:
      mount.dest = mount_target(spec);
      mount.readonly = spec.readonly.value_or(false);
      mount.tmpfs_size = spec.size;
      running.exec.mounts.push_back(std::move(mount));
      return;
    case MountType::Bind:
      mount.dest = mount_target(spec);
      mount.readonly = spec.readonly.value_or(true);
      return add_tree_mount(spec, std::move(mount), running);
    case MountType::Cache: {
      mount.dest = mount_target(spec);
      mount.readonly = spec.readonly.value_or(false);
      const std::string id = spec.id ? expand(*spec.flag, *spec.id) : std::string();
      const std::string target = spec.target ? expand(*spec.flag, *spec.target) : std::string();
      mount.cache = CacheMount{cache_id(id, clean_path(target)), spec.sharing};
      return add_tree_mount(spec, std::move(mount), running);
    }
  }
}

}  // namespace slipway::dockerfile
