#include "build/op_json.h"

#include <nlohmann/json.hpp>

#include "base/strings.h"
#include "build/hidden_text.h"
#include "graph/git_url.h"

namespace slipway {

namespace {

using Json = nlohmann::ordered_json;

void mask(Json& json, const SecretMask& hidden) {
  if (json.is_string()) {
    json = hidden_text(hidden, json.get_ref<const std::string&>());
  } else if (json.is_structured()) {
    for (Json& part : json) mask(part, hidden);
  }
}

/// Zero, empty and false are left out, as the encoder there does.
template <class T>
void put(Json& json, const char* key, const T& value) {
  if (value != T{}) json[key] = value;
}

template <class Enum>
void put_enum(Json& json, const char* key, Enum value) {
  put(json, key, static_cast<int>(value));
}

Json user_json(const std::string& user, int input) {
  if (const auto number = parse_unsigned(user); number && *number <= 0xffffffffU)
    return {{"User", {{"byId", *number}}}};
  Json named{{"name", user}};
  put(named, "input", input);
  return {{"User", {{"byName", std::move(named)}}}};
}

void put_owner(Json& json, const std::optional<Owner>& owner, int base) {
  if (!owner) return;
  Json& out = json["owner"] = {{"user", user_json(owner->user, base)}};
  if (!owner->group.empty()) out["group"] = user_json(owner->group, base);
}

struct ActionWriter {
  const SecretMask& hidden;
  Json& action;
  std::pair<const char*, Json> operator()(const CopyAction& copy) const {
    action["secondaryInput"] = copy.from;
    Json out{{"src", copy.src}, {"dest", copy.dest}};
    put_owner(out, copy.owner, copy.base);
    out["mode"] = copy.mode ? static_cast<int>(*copy.mode) : -1;
    put(out, "followSymlink", copy.follow_symlink);
    put(out, "dirCopyContents", copy.copy_dir_contents);
    put(out, "attemptUnpackDockerCompatibility", copy.attempt_unpack);
    put(out, "createDestPath", copy.create_dest_path);
    put(out, "allowWildcard", copy.allow_wildcard);
    put(out, "allowEmptyWildcard", copy.allow_empty_wildcard);
    put(out, "include_patterns", copy.include);
    put(out, "exclude_patterns", copy.exclude);
    put(out, "required_paths", copy.required);
    put(out, "alwaysReplaceExistingDestPaths", copy.always_replace);
    put(out, "modeStr", copy.mode_change);
    out["timestamp"] = copy.timestamp.value_or(-1);
    return {"copy", std::move(out)};
  }
  std::pair<const char*, Json> operator()(const MkdirAction& mkdir) const {
    Json out{{"path", mkdir.path}, {"mode", mkdir.mode}};
    put(out, "makeParents", mkdir.make_parents);
    put_owner(out, mkdir.owner, mkdir.base);
    out["timestamp"] = mkdir.timestamp.value_or(-1);
    return {"mkdir", std::move(out)};
  }
  std::pair<const char*, Json> operator()(const MkfileAction& mkfile) const {
    Json out{{"path", mkfile.path},
             {"mode", mkfile.mode},
             {"data", base64_encode(hidden_text(hidden, mkfile.data))}};
    put_owner(out, mkfile.owner, mkfile.base);
    out["timestamp"] = mkfile.timestamp.value_or(-1);
    return {"mkfile", std::move(out)};
  }
  std::pair<const char*, Json> operator()(const RmAction& rm) const {
    Json out{{"path", rm.path}};
    put(out, "allowNotFound", rm.allow_not_found);
    put(out, "allowWildcard", rm.allow_wildcard);
    return {"rm", std::move(out)};
  }
  std::pair<const char*, Json> operator()(const SymlinkAction& link) const {
    Json out{{"oldpath", link.target}, {"newpath", link.path}};
    put_owner(out, link.owner, link.base);
    out["timestamp"] = link.timestamp.value_or(-1);
    return {"symlink", std::move(out)};
  }
};

Json file_json(const FileOp& file, const SecretMask& hidden) {
  Json actions = Json::array();
  for (std::size_t i = 0; i < file.actions.size(); ++i) {
    Json action{{"input", std::visit([](const auto& any) { return any.base; }, file.actions[i])},
                {"secondaryInput", kNoInput},
                {"output", i + 1 == file.actions.size() ? 0 : kNoOutput}};
    auto [name, what] = std::visit(ActionWriter{hidden, action}, file.actions[i]);
    action["Action"] = {{name, std::move(what)}};
    actions.push_back(std::move(action));
  }
  return {{"actions", std::move(actions)}};
}

template <class Options>
Json id_options(const Options& given) {
  Json out = Json::object();
  put(out, "ID", given.id);
  put(out, "uid", given.uid);
  put(out, "gid", given.gid);
  put(out, "mode", given.mode);
  put(out, "optional", given.optional);
  return out;
}

Json mount_json(const Mount& mount) {
  Json out = Json::object();
  put(out, "input", mount.input);
  put(out, "selector", mount.selector);
  put(out, "dest", mount.dest);
  put(out, "output", mount.output);
  put(out, "readonly", mount.readonly);
  put_enum(out, "mountType", mount.type);
  if (mount.tmpfs_size != 0) out["TmpfsOpt"] = {{"size", mount.tmpfs_size}};
  if (mount.cache) {
    Json& cache = out["cacheOpt"] = {{"ID", mount.cache->id}};
    put_enum(cache, "sharing", mount.cache->sharing);
  }
  if (mount.secret) out["secretOpt"] = id_options(*mount.secret);
  if (mount.ssh) out["SSHOpt"] = id_options(*mount.ssh);
  put_enum(out, "contentCache", mount.content_cache);
  return out;
}

/// What `part` makes of each.
template <class List, class Part>
void put_list(Json& json, const char* key, const List& list, Part part) {
  if (list.empty()) return;
  Json& out = json[key] = Json::array();
  for (const auto& entry : list) out.push_back(part(entry));
}

Json exec_json(const ExecOp& exec) {
  Json meta = Json::object();
  put(meta, "args", exec.args);
  put(meta, "env", exec.env);
  put(meta, "cwd", exec.cwd);
  put(meta, "user", exec.user);
  put_list(meta, "extraHosts", exec.extra_hosts, [](const ExtraHost& host) {
    return Json{{"Host", host.host}, {"IP", host.address}};
  });
  put(meta, "hostname", exec.hostname);
  put_list(meta, "ulimit", exec.ulimits, [](const Ulimit& limit) {
    return Json{{"Name", limit.name}, {"Soft", limit.soft}, {"Hard", limit.hard}};
  });
  put(meta, "cgroupParent", exec.cgroup_parent);
  put(meta, "removeMountStubsRecursive", exec.remove_mount_stubs);
  put(meta, "validExitCodes", exec.valid_exit_codes);
  Json out{{"meta", std::move(meta)}};
  put_list(out, "mounts", exec.mounts, mount_json);
  put_enum(out, "network", exec.network);
  put_enum(out, "security", exec.security);
  put_list(out, "secretenv", exec.secret_env, [](const SecretEnv& secret) {
    return Json{{"ID", secret.id}, {"name", secret.name}, {"optional", secret.optional}};
  });
  put_list(out, "cdiDevices", exec.devices, [](const DeviceRequest& device) {
    return Json{{"name", device.name}, {"optional", device.optional}};
  });
  return out;
}

struct BodyWriter {
  const SecretMask& hidden;
  const Op& op;
  std::pair<const char*, Json> operator()(const SourceOp& source) const {
    Json out{{"identifier", without_credentials(source.identifier)}};
    for (const auto& [name, value] : source.attrs) out["attrs"][name] = without_credentials(value);
    return {"source", std::move(out)};
  }
  std::pair<const char*, Json> operator()(const ExecOp& exec) const { return {"exec", exec_json(exec)}; }
  std::pair<const char*, Json> operator()(const FileOp& file) const {
    return {"file", file_json(file, hidden)};
  }
  std::pair<const char*, Json> operator()(const MergeOp&) const {
    Json inputs = Json::array();
    for (std::size_t i = 0; i < op.inputs.size(); ++i) inputs.push_back({{"input", i}});
    return {"merge", Json{{"inputs", std::move(inputs)}}};
  }
  std::pair<const char*, Json> operator()(const DiffOp& diff) const {
    return {"diff", Json{{"lower", {{"input", diff.lower}}}, {"upper", {{"input", diff.upper}}}}};
  }
};

}  // namespace

std::string op_json(const Op& op, const SecretMask& hidden) {
  auto [name, body] = std::visit(BodyWriter{hidden, op}, op.what);
  Json out;
  out["Op"] = {{name, std::move(body)}};
  if (op.platform) {
    Json& platform =
        out["platform"] = {{"Architecture", op.platform->architecture()}, {"OS", op.platform->os()}};
    put(platform, "Variant", op.platform->variant());
    put(platform, "OSVersion", op.platform->os_version());
  }
  if (op.constraints) out["constraints"] = Json::object();
  mask(out, hidden);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace slipway
