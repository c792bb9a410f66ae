#include "runtime/crun_bundle.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "runtime/id_maps.h"
#include "runtime/insecure.h"
#include "runtime/network_files.h"
#include "runtime/step_init.h"
#include "runtime/step_setup.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

constexpr unsigned kTtyGroup = 5;

[[noreturn]] void throw_no_such_id(const std::string& who, unsigned uid, unsigned gid) {
  HostError error(concat(who, " user ", uid, ":", gid, ", which does not exist in this user namespace"));
  error.set_hint(
      "install uidmap and give yourself a range in /etc/subuid and /etc/subgid (usermod --add-subuids "
      "100000-165535 --add-subgids 100000-165535 NAME)");
  throw error;
}

void check_owner(unsigned uid, unsigned gid, const std::string& what) {
  if (is_mapped(read_own_uid_map(), uid) && is_mapped(read_own_gid_map(), gid)) return;
  throw_no_such_id(concat(what, " belongs to"), uid, gid);
}

void open_up(OciSpecInput& input) {
  input.all_capabilities = own_capabilities();
  for (const fs::path& device : insecure_devices())
    input.mounts.push_back(
        {.source = device, .dest = device.native(), .readonly = false, .recursive = false, .options = {}});
  // A fresh sysfs has nothing mounted there.
  if (input.own_network || !input.in_user_namespace)
    input.mounts.push_back(
        {.source = "/sys/fs/cgroup", .dest = "/sys/fs/cgroup", .readonly = false, .options = {}});
}

}  // namespace

ScratchTmpfs::ScratchTmpfs(const fs::path& directory) : path_(directory) {
  if (::mount("slipway", path_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=700") != 0)
    throw SystemError(errno, "mount a tmpfs on", path_.native());
}

ScratchTmpfs::~ScratchTmpfs() { ::umount2(path_.c_str(), MNT_DETACH); }

CrunBundle::CrunBundle(const SandboxSpec& spec, bool fresh_proc, Logger& logger)
    : spec_(spec),
      fresh_proc_(fresh_proc),
      root_(spec.rootfs),
      scratch_(spec.scratch),
      stubs_(root_, logger) {}

void CrunBundle::write() {
  write_file_atomic(scratch_.path() / "config.json", build_spec(), Durability::None, 0600);
}

std::string CrunBundle::build_spec() {
  const IdMap uids = read_own_uid_map(), gids = read_own_gid_map();
  OciSpecInput input{.rootfs = fs::absolute(spec_.rootfs),
                     .args = spec_.args,
                     .env = {},
                     .cwd = spec_.cwd,
                     .hostname = spec_.hostname,
                     .user = user_in_maps()};
  input.fresh_proc = fresh_proc_;
  input.own_network = spec_.network == NetworkMode::None;
  input.in_user_namespace = is_user_namespace(uids) || spec_.execution.kind == Execution::Kind::PrivateBinfmt;
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
void CrunBundle::put_under_init(OciSpecInput& input) {
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
void CrunBundle::add_system_place(const char* place) {
  if (const auto status = root_.stat(place, /*follow=*/false); status && !S_ISDIR(status->st_mode))
    throw InvalidInput(concat(place, " in the image is not a directory: a step gets its own there"));
  stubs_.add(place, MountStubs::Kind::Directory);
}

ResolvedUser CrunBundle::user_in_maps() {
  const IdMap uids = read_own_uid_map(), gids = read_own_gid_map();
  ResolvedUser user = resolve_user(root_, spec_.user);
  if (!is_mapped(uids, user.uid) || !is_mapped(gids, user.gid))
    throw_no_such_id("the step runs as", user.uid, user.gid);
  std::erase_if(user.groups, [&](unsigned gid) { return !is_mapped(gids, gid); });
  // In a map of one id setgroups(2) is forbidden.
  if (read_file_if_exists("/proc/self/setgroups").value_or("allow").starts_with("deny")) user.groups.clear();
  return user;
}

void CrunBundle::add_network_files(OciSpecInput& input) {
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

void CrunBundle::add_mounts(OciSpecInput& input) {
  std::vector<OciMount> mounts;
  for (const SandboxMount& mount : spec_.mounts) mounts.push_back(bind_mount(mount));
  for (const SandboxTmpfs& tmpfs : spec_.tmpfs) mounts.push_back(tmpfs_mount(tmpfs));
  add_secrets(mounts);
  add_agents(mounts);
  // A place comes after those it is in: a path sorts after what it begins with.
  std::ranges::stable_sort(mounts, {}, &OciMount::dest);
  std::ranges::move(mounts, std::back_inserter(input.mounts));
}

OciMount CrunBundle::bind_mount(const SandboxMount& mount) {
  struct stat status {};
  if (::stat(mount.source.c_str(), &status) != 0) throw SystemError(errno, "stat", mount.source.native());
  const auto kind = S_ISDIR(status.st_mode) ? MountStubs::Kind::Directory : MountStubs::Kind::File;
  OciMount bind{
      .source = fs::absolute(mount.source), .dest = add_stub(mount.dest, kind), .readonly = mount.readonly};
  if (!mount.devices) bind.options.emplace_back("nodev");
  if (mount.nosuid) bind.options.emplace_back("nosuid");
  return bind;
}

OciMount CrunBundle::tmpfs_mount(const SandboxTmpfs& tmpfs) {
  OciMount mount{.source = {},
                 .dest = add_stub(tmpfs.dest, MountStubs::Kind::Directory),
                 .readonly = tmpfs.readonly,
                 .options = {"nosuid", "nodev", "mode=1777"}};
  if (tmpfs.size > 0) mount.options.push_back(concat("size=", tmpfs.size));
  return mount;
}

// What is below another mount of this step gets its mount point there, by the runtime: in the image it
// would be hidden.
std::string CrunBundle::add_stub(const std::string& dest, MountStubs::Kind kind) {
  const auto covered = [&](std::string_view place) { return dest != place && is_below(dest, place); };
  const auto covers = [&](const auto& mount) { return covered(mount.dest); };
  const bool under_mount =
      std::ranges::any_of(spec_.mounts, covers) || std::ranges::any_of(spec_.tmpfs, covers);
  if (under_mount || covered("/dev") || covered("/proc") || covered("/sys")) return dest;
  return stubs_.add(dest, kind);
}

// A place for files of ours that the step sees one by one.
fs::path CrunBundle::scratch_directory(const char* name) {
  fs::path directory = scratch_.path() / name;
  fs::create_directory(directory);
  return directory;
}

void CrunBundle::add_secrets(std::vector<OciMount>& mounts) {
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

void CrunBundle::add_agents(std::vector<OciMount>& mounts) {
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

}  // namespace slipway
