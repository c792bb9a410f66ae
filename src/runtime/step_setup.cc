#include "runtime/step_setup.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

/// The value of a variable in KEY=VALUE lines; nothing if it is not there.
const char* find_variable(const std::vector<std::string>& env, std::string_view name) {
  for (const std::string& entry : env)
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name))
      return entry.c_str() + name.size() + 1;
  return nullptr;
}

bool is_program(const RootedDir& root, const std::string& path) {
  const auto status = root.stat(path, /*follow=*/true);
  return status && S_ISREG(status->st_mode) && (status->st_mode & 0111) != 0;
}

}  // namespace

bool is_below(std::string_view path, std::string_view directory) {
  return path == directory || directory == "/" ||
         (path.starts_with(directory) && path.substr(directory.size()).starts_with('/'));
}

std::vector<std::string> step_environment(const SandboxSpec& spec, const ResolvedUser& user) {
  std::vector<std::string> env = spec.env;
  for (const auto& [name, value] : spec.secret_env) env.push_back(concat(name, "=", value.reveal()));
  if (!find_variable(env, "HOME")) env.push_back("HOME=" + user.home);
  return env;
}

void refuse_what_needs_namespaces(const SandboxSpec& spec, Isolation tier) {
  const auto refuse = [tier](std::string_view what) {
    HostError error(concat(what, ", which isolation by ", name_of(tier), " does not have"));
    error.set_hint("build where namespaces are allowed (--isolation=oci)");
    throw error;
  };
  if (spec.network == NetworkMode::None) refuse("RUN --network=none needs a network namespace");
  // What it mounts would stay, and be seen by all.
  if (spec.security == SecurityMode::Insecure) refuse("RUN --security=insecure needs a mount namespace");
}

void ensure_working_directory(const SandboxSpec& spec, const RootedDir& root, const ResolvedUser& user) {
  if (!spec.cwd.starts_with('/'))
    throw InvalidInput(concat("the working directory \"", spec.cwd, "\" is not absolute"));
  const auto covered = [&](std::string_view place) { return is_below(spec.cwd, place); };
  if (covered("/proc") || covered("/dev") || covered("/sys")) return;
  const auto covers = [&](const auto& mount) { return covered(mount.dest); };
  if (std::ranges::any_of(spec.mounts, covers) || std::ranges::any_of(spec.tmpfs, covers)) return;
  const auto status = root.stat(spec.cwd, true);
  if (!status) {
    root.make_directories(spec.cwd, {.mode = 0755, .uid = user.uid, .gid = user.gid});
    return;
  }
  if (!S_ISDIR(status->st_mode))
    throw InvalidInput(concat("the working directory \"", spec.cwd, "\" is not a directory"));
}

StepProgram find_step_program(const SandboxSpec& spec, const RootedDir& root) {
  const std::string& name = spec.args.front();
  const auto absolute = [&](const std::string& path) {
    return path.starts_with('/') ? path : concat(spec.cwd, "/", path);
  };
  if (name.find('/') != std::string::npos) {
    const std::string path = absolute(name);
    return {.path = is_program(root, path) ? path : "", .found = root.stat(path, true).has_value()};
  }
  const char* path = find_variable(spec.env, "PATH");
  bool found = false;
  for (const std::string& place :
       split(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    const std::string candidate = absolute(concat(place.empty() ? "." : place, "/", name));
    if (is_program(root, candidate)) return {.path = candidate};
    found = found || root.stat(candidate, true).has_value();
  }
  return {.path = "", .found = found};
}

}  // namespace slipway
