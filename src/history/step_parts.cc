#include "history/step_parts.h"

#include <array>
#include <cstdio>

#include "base/secret_names.h"
#include "base/strings.h"

namespace slipway {

namespace {

std::string octal(unsigned mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode);
  return text.data();
}

std::string shown(const Owner& owner) {
  return owner.group.empty() ? owner.user : concat(owner.user, ":", owner.group);
}

class Parts {
 public:
  explicit Parts(const Hider& hider) : hider_(hider) {}

  void add(const std::string& name, const std::string& value) {
    std::string kept = hider_.apply(value);
    const bool hidden = kept != value;
    list_.push_back({.name = hider_.apply(name), .value = std::move(kept), .hidden = hidden});
  }
  void add_if(const std::string& name, const std::string& value) {
    if (!value.empty()) add(name, value);
  }
  void add_variable(const std::string& kind, std::string_view variable) {
    const std::size_t equals = variable.find('=');
    const std::string_view name = variable.substr(0, equals);
    if (names_secret(name)) {  // also what is too short to be hidden elsewhere
      list_.push_back({.name = concat(kind, " ", name), .value = "***", .hidden = true});
    } else {
      add(concat(kind, " ", name),
          std::string(equals == std::string_view::npos ? "" : variable.substr(equals + 1)));
    }
  }
  /// The bytes themselves may be long: their digest, unless it could tell of a secret.
  void add_bytes(const std::string& name, const std::string& bytes) {
    if (hider_.apply(bytes) != bytes) {
      list_.push_back({.name = name, .value = "***", .hidden = true});
    } else {
      list_.push_back({.name = name, .value = Digest::of(bytes).str(), .hidden = false});
    }
  }
  std::vector<KeyPart> take() { return std::move(list_); }

 private:
  const Hider& hider_;
  std::vector<KeyPart> list_;
};

std::string describe_mount(const Mount& mount) {
  constexpr std::array<const char*, 5> kTypes{"bind", "secret", "ssh", "cache", "tmpfs"};
  std::string text = kTypes.at(static_cast<std::size_t>(mount.type));
  if (mount.input != kNoInput) text += concat(" of input ", mount.input);
  if (!mount.selector.empty()) text += concat(" ", mount.selector);
  if (mount.readonly) text += ", read-only";
  if (mount.output != kNoOutput) text += ", kept";
  const auto file = [&](const auto& given) {
    text += concat(" ", given.id, ", owner ", given.uid, ":", given.gid, ", mode ", octal(given.mode),
                   given.optional ? "" : ", required");
  };
  if (mount.secret) file(*mount.secret);
  if (mount.ssh) file(*mount.ssh);
  if (mount.cache) text += concat(" ", mount.cache->id, ", sharing ", static_cast<int>(mount.cache->sharing));
  if (mount.tmpfs_size) text += concat(", ", mount.tmpfs_size, " bytes");
  return text;
}

void add_exec(const ExecOp& exec, const std::set<std::string>& args, Parts& parts) {
  if (exec.args.size() == 3 && exec.args[1] == "-c") {
    parts.add("shell", exec.args[0]);
    parts.add("command", exec.args[2]);
  } else {
    for (std::size_t i = 0; i < exec.args.size(); ++i) parts.add(concat("argument ", i), exec.args[i]);
  }
  for (const std::string& variable : exec.env)
    parts.add_variable(args.contains(variable.substr(0, variable.find('='))) ? "ARG" : "ENV", variable);
  parts.add("working directory", exec.cwd);
  parts.add_if("user", exec.user);
  parts.add_if("hostname", exec.hostname);
  for (const Mount& mount : exec.mounts)
    if (mount.dest != "/") parts.add(concat("mount ", mount.dest), describe_mount(mount));
  for (const SecretEnv& secret : exec.secret_env)
    parts.add(concat("secret variable ", secret.name),
              concat(secret.id, secret.optional ? "" : ", required"));
  constexpr std::array<const char*, 3> kNetworks{"default", "host", "none"};
  parts.add("network", kNetworks.at(static_cast<std::size_t>(exec.network)));
  if (exec.security == SecurityMode::Insecure) parts.add("security", "insecure");
  for (const DeviceRequest& device : exec.devices)
    parts.add(concat("device ", device.name), device.optional ? "optional" : "required");
  for (const ExtraHost& host : exec.extra_hosts) parts.add(concat("host ", host.host), host.address);
  for (const Ulimit& limit : exec.ulimits)
    parts.add(concat("ulimit ", limit.name), concat(limit.soft, ":", limit.hard));
  std::vector<std::string> codes;
  for (const int code : exec.valid_exit_codes) codes.push_back(std::to_string(code));
  parts.add_if("valid exit codes", join(codes, ","));
}

void add_copy(const std::string& which, const CopyAction& copy, Parts& parts) {
  parts.add(which + "source", copy.src);
  parts.add(which + "destination", copy.dest);
  if (copy.owner) parts.add(which + "--chown", shown(*copy.owner));
  if (copy.mode) parts.add(which + "--chmod", octal(*copy.mode));
  parts.add_if(which + "--chmod", copy.mode_change);
  parts.add_if(which + "--parents", join(copy.include, " "));
  parts.add_if(which + "--exclude", join(copy.exclude, " "));
  std::string flags;
  for (const bool flag : {copy.follow_symlink, copy.copy_dir_contents, copy.create_dest_path,
                          copy.allow_wildcard, copy.allow_empty_wildcard, copy.attempt_unpack})
    flags += flag ? '+' : '-';
  parts.add(which + "way of copying", flags);
}

void add_files(const FileOp& files, Parts& parts) {
  for (std::size_t i = 0; i < files.actions.size(); ++i) {
    const std::string which = files.actions.size() > 1 ? concat(i + 1, ". ") : std::string();
    const FileAction& action = files.actions[i];
    if (const auto* copy = std::get_if<CopyAction>(&action)) {
      add_copy(which, *copy, parts);
    } else if (const auto* made = std::get_if<MkdirAction>(&action)) {
      parts.add(which + "directory", made->path);
      parts.add(which + "mode", octal(made->mode));
      if (made->owner) parts.add(which + "owner", shown(*made->owner));
    } else if (const auto* file = std::get_if<MkfileAction>(&action)) {
      parts.add(which + "file", file->path);
      parts.add(which + "mode", octal(file->mode));
      parts.add_bytes(which + "text", file->data);
      if (file->owner) parts.add(which + "owner", shown(*file->owner));
    } else if (const auto* removed = std::get_if<RmAction>(&action)) {
      parts.add(which + "removed", removed->path);
    } else if (const auto* link = std::get_if<SymlinkAction>(&action)) {
      parts.add(which + "link", link->path);
      parts.add(which + "target", link->target);
      if (link->owner) parts.add(which + "owner", shown(*link->owner));
    }
    const Timestamp time = std::visit(
        [](const auto& any) {
          if constexpr (requires { any.timestamp; }) return any.timestamp;
          return Timestamp();
        },
        action);
    if (time) parts.add(which + "time", std::to_string(*time));
  }
}

void add_source(const SourceOp& source, Parts& parts) {
  const std::size_t at = source.identifier.rfind("@sha256:");
  if (at == std::string::npos) {
    parts.add("source", source.identifier);
  } else {
    parts.add("image", source.identifier.substr(0, at));
    parts.add("base image digest", source.identifier.substr(at + 1));
  }
  for (const auto& [name, value] : source.attrs) parts.add(name, value);
}

}  // namespace

std::string kind_of(const Op& op) {
  if (std::holds_alternative<ExecOp>(op.what)) return "run";
  if (std::holds_alternative<FileOp>(op.what)) return "files";
  if (std::holds_alternative<MergeOp>(op.what)) return "merge";
  if (std::holds_alternative<DiffOp>(op.what)) return "diff";
  return std::get<SourceOp>(op.what).identifier.starts_with("local://") ? "context" : "source";
}

std::vector<KeyPart> step_parts(const Op& op, const std::set<std::string>& args, const Hider& hider) {
  Parts parts(hider);
  if (op.platform) parts.add("platform", op.platform->str());
  if (const auto* exec = std::get_if<ExecOp>(&op.what)) add_exec(*exec, args, parts);
  if (const auto* files = std::get_if<FileOp>(&op.what)) add_files(*files, parts);
  if (const auto* source = std::get_if<SourceOp>(&op.what)) add_source(*source, parts);
  return parts.take();
}

}  // namespace slipway
