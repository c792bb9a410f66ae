#include "runtime/user_namespaces.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "runtime/capabilities.h"
#include "runtime/id_maps.h"

namespace slipway {
namespace fs = std::filesystem;

namespace {

bool write_map(const fs::path& path, const std::string& lines) {
  try {
    const UniqueFd fd = open_file(path, O_WRONLY);
    write_all(fd.get(), lines, path.native());
    return true;
  } catch (const SystemError&) {
    return false;
  }
}

fs::path proc_file(pid_t child, const char* name) { return fs::path("/proc") / std::to_string(child) / name; }

struct SubordinateMaps {
  IdMap uids, gids;
};

std::optional<SubordinateMaps> find_subordinate_maps() {
  if (!find_program("newuidmap") || !find_program("newgidmap")) return std::nullopt;
  const struct passwd* entry = ::getpwuid(::getuid());  // no thread exists yet
  const std::string name = entry ? entry->pw_name : "";
  const auto ranges = [&](const char* file) {
    return parse_sub_ids(read_file_if_exists(file).value_or(""), name, ::getuid());
  };
  const std::vector<IdRange> uids = ranges("/etc/subuid"), gids = ranges("/etc/subgid");
  if (uids.empty() || gids.empty()) return std::nullopt;
  return SubordinateMaps{.uids = map_with_sub_ids(::getuid(), uids),
                         .gids = map_with_sub_ids(::getgid(), gids)};
}

bool run_map_program(const char* program, pid_t child, const IdMap& map) {
  Command command{.argv = {program, std::to_string(child)}};
  for (const IdRange& range : map)
    for (const std::uint64_t number : {range.inside, range.outside, range.count})
      command.argv.push_back(std::to_string(number));
  try {
    return run_process(command).ok();
  } catch (const SystemError&) {
    return false;
  }
}

std::optional<std::string> read_setting(const fs::path& path) {
  try {
    return std::string(trim(read_file(path, 4096)));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<IdMapping> possible_mappings() {
  std::vector<IdMapping> mappings;
  if (has_capability(CAP_SETUID) && has_capability(CAP_SETGID)) mappings.push_back(IdMapping::Identity);
  if (find_subordinate_maps()) mappings.push_back(IdMapping::Subordinate);
  mappings.push_back(IdMapping::Single);
  return mappings;
}

bool apply_mapping(IdMapping mapping, pid_t child) {
  switch (mapping) {
    case IdMapping::Identity:
      return write_map(proc_file(child, "uid_map"), identity_lines(read_own_uid_map())) &&
             write_map(proc_file(child, "gid_map"), identity_lines(read_own_gid_map()));
    case IdMapping::Subordinate: {
      const auto maps = find_subordinate_maps();
      return maps && run_map_program("newuidmap", child, maps->uids) &&
             run_map_program("newgidmap", child, maps->gids);
    }
    case IdMapping::Single:
      // user_namespaces(7): without privilege a gid map is accepted only once setgroups is given up.
      return write_map(proc_file(child, "setgroups"), "deny") &&
             write_map(proc_file(child, "uid_map"), concat("0 ", ::geteuid(), " 1\n")) &&
             write_map(proc_file(child, "gid_map"), concat("0 ", ::getegid(), " 1\n"));
  }
  return false;
}

HostError user_namespace_error(int error_number, const fs::path& sysctl) {
  const auto is = [&](const char* file, const char* value) { return read_setting(sysctl / file) == value; };
  const std::string prefix = "this system refuses user namespaces, which building without root needs: ";
  struct Cause {
    const char* file;
    const char* value;
    const char* message;
    const char* hint;
  };
  constexpr Cause causes[] = {
      {"kernel/unprivileged_userns_clone", "0", "/proc/sys/kernel/unprivileged_userns_clone is 0",
       "sysctl kernel.unprivileged_userns_clone=1 (as root), or run slipway as root"},
      {"user/max_user_namespaces", "0", "/proc/sys/user/max_user_namespaces is 0",
       "sysctl user.max_user_namespaces=15000 (as root), or run slipway as root"},
      {"kernel/apparmor_restrict_unprivileged_userns", "1",
       "/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1 (AppArmor)",
       "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (as root), or an AppArmor profile with "
       "\"userns,\" for slipway"},
  };
  for (const Cause& cause : causes) {
    if (!is(cause.file, cause.value)) continue;
    HostError error(prefix + cause.message);
    error.set_hint(cause.hint);
    return error;
  }
  HostError error(concat(prefix, std::generic_category().message(error_number)));
  error.set_hint(
      "inside a container, allow unshare, clone and mount in its seccomp profile (docker run "
      "--security-opt seccomp=unconfined --security-opt apparmor=unconfined)");
  return error;
}

}  // namespace slipway
