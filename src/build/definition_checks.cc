#include "build/definition_checks.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"
#include "graph/git_url.h"

namespace slipway {

namespace {

/// Attributes of a kind of source that count, and those that are about the caller's session or the way of
/// fetching and change nothing.
struct SourceKind {
  std::string_view scheme;
  std::vector<std::string_view> attributes;
};

const std::vector<SourceKind>& source_kinds() {
  static const std::vector<SourceKind> kKinds{
      {"docker-image://", {"image.resolvemode", "image.recordtype"}},
      {"oci-layout://", {kAttrOciStore, "oci.session"}},
      {"local://",
       {kAttrExcludePatterns, "local.includepattern", "local.followpaths", "local.session", "local.unique",
        "local.sharedkeyhint", "local.differ"}},
      {"git://",
       {kAttrGitFullUrl, kAttrGitKeepDir, kAttrGitChecksum, kAttrGitSkipSubmodules, "git.authheadersecret",
        "git.authtokensecret", "git.knownsshhosts", "git.mountsshsock", "git.fetchbycommit"}},
      {"https://", {kAttrHttpChecksum, kAttrHttpFilename, "http.authheadersecret"}},
      {"http://", {kAttrHttpChecksum, kAttrHttpFilename, "http.authheadersecret"}},
  };
  return kKinds;
}

void check_source(const SourceOp& source) {
  const auto kind = std::ranges::find_if(
      source_kinds(), [&](const SourceKind& one) { return source.identifier.starts_with(one.scheme); });
  if (kind == source_kinds().end())
    throw InvalidInput(concat("slipway knows no sources like \"", source.identifier.substr(0, 200), "\""));
  for (const auto& [name, value] : source.attrs)
    if (std::ranges::find(kind->attributes, name) == kind->attributes.end())
      throw InvalidInput(concat("slipway does not know the attribute \"", name.substr(0, 200), "\""));
  const auto url = git_url_of(source);
  // Only who calls us may name repositories on this machine.
  if (url && (url->remote.starts_with("file:") || url->remote.find("::") != std::string::npos))
    throw InvalidInput("a repository that is on this machine, or fetched by a program, is no source");
  if (const auto checksum = source.attrs.find(kAttrHttpChecksum);
      checksum != source.attrs.end() && !Digest::is_valid(checksum->second))
    throw InvalidInput("its http.checksum is no sha256 digest");
}

/// Paths, arguments and variables end at a zero byte.
void check_text(const std::string& text) {
  if (text.find('\0') != std::string::npos) throw InvalidInput("a zero byte stands in a text");
}
void check_line(const std::string& text) {
  if (std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }))
    throw InvalidInput("a control character stands in a name");
}

void check_mount(const Mount& mount) {
  check_text(mount.dest);
  check_text(mount.selector);
  const bool has_options = mount.type == MountType::Secret  ? mount.secret.has_value()
                           : mount.type == MountType::Ssh   ? mount.ssh.has_value()
                           : mount.type == MountType::Cache ? mount.cache.has_value()
                                                            : true;
  if (!has_options) throw InvalidInput(concat("the mount at ", mount.dest, " does not say of what"));
}

void check_exec(const ExecOp& exec) {
  if (exec.args.empty() || exec.args.front().empty()) throw InvalidInput("it has no program to run");
  for (const std::string& argument : exec.args) check_text(argument);
  for (const std::string& variable : exec.env) {
    check_text(variable);
    if (variable.find('=') == std::string::npos || variable.starts_with('='))
      throw InvalidInput("a variable of its environment has no name or no value");
  }
  check_text(exec.cwd);
  for (const std::string* name : {&exec.user, &exec.hostname}) check_line(*name);
  for (const ExtraHost& host : exec.extra_hosts) {
    check_line(host.host);
    check_line(host.address);
  }
  for (const SecretEnv& secret : exec.secret_env) {
    check_line(secret.name);
    if (secret.name.empty() || secret.name.find('=') != std::string::npos)
      throw InvalidInput("a secret's variable has no usable name");
  }
  if (!exec.cgroup_parent.empty())
    throw InvalidInput("it asks for a control group, and slipway's steps have their own");
  for (const Mount& mount : exec.mounts) check_mount(mount);
  const auto roots = std::ranges::count(exec.mounts, std::string("/"), &Mount::dest);
  if (roots != 1) throw InvalidInput("it does not have one root file system");
  if (std::ranges::find(exec.mounts, std::string("/"), &Mount::dest)->type != MountType::Bind)
    throw InvalidInput("its root file system is not of its inputs");
}

void check_action(const FileAction& action) {
  if (const auto* copy = std::get_if<CopyAction>(&action)) {
    if (copy->always_replace)
      throw InvalidInput("it replaces directories by files and the reverse, which slipway does not");
    check_text(copy->src);
    check_text(copy->dest);
    for (const auto* list : {&copy->include, &copy->exclude, &copy->required})
      std::ranges::for_each(*list, check_text);
  } else if (const auto* link = std::get_if<SymlinkAction>(&action)) {
    check_text(link->path);
    check_text(link->target);
    if (link->target.empty() || link->path.empty()) throw InvalidInput("a symbolic link lacks a path");
  } else if (const auto* mkdir = std::get_if<MkdirAction>(&action)) {
    check_text(mkdir->path);
  } else if (const auto* mkfile = std::get_if<MkfileAction>(&action)) {
    check_text(mkfile->path);
  } else if (const auto* rm = std::get_if<RmAction>(&action)) {
    check_text(rm->path);
  }
}

}  // namespace

void check_runnable(const Op& op) {
  if (op.constraints && !op.constraints->empty())
    throw InvalidInput("it asks for a certain worker, and slipway has one");
  if (const auto* source = std::get_if<SourceOp>(&op.what)) check_source(*source);
  if (const auto* exec = std::get_if<ExecOp>(&op.what)) check_exec(*exec);
  if (const auto* file = std::get_if<FileOp>(&op.what)) std::ranges::for_each(file->actions, check_action);
}

std::optional<int> usable_output(const Op& op) {
  const auto* exec = std::get_if<ExecOp>(&op.what);
  if (!exec) return 0;
  const auto root = std::ranges::find(exec->mounts, std::string("/"), &Mount::dest);
  return root == exec->mounts.end() || root->output < 0 || root->readonly ? std::nullopt
                                                                          : std::optional(root->output);
}

void settle_paths(ExecOp& exec) {
  namespace fs = std::filesystem;
  const auto settled = [](const fs::path& base, const std::string& path) {
    std::string clean = (base / path).lexically_normal().native();
    while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
    return clean;
  };
  exec.cwd = settled("/", exec.cwd);
  for (Mount& mount : exec.mounts) mount.dest = settled(exec.cwd, mount.dest);
}

}  // namespace slipway
