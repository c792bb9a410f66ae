#include "graph/codec.h"

#include <google/protobuf/arena.h>

#include <array>

#include "base/strings.h"
#include "graph/wire.h"
#include "llb.pb.h"

namespace slipway {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
// Written out for compilers that do not deduce it yet: the fuzzer is built by an older clang.
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

void put_user(const std::string& user, int input, llb::UserOpt* out) {
  if (const auto number = parse_unsigned(user); number && *number <= 0xffffffffU) {
    out->set_by_id(static_cast<std::uint32_t>(*number));
  } else {
    out->mutable_by_name()->set_name(user);
    out->mutable_by_name()->set_input(input);
  }
}

template <class Message>
void put_owner(const std::optional<Owner>& owner, int base, Message* message) {
  if (!owner) return;
  llb::Owner* out = message->mutable_owner();
  put_user(owner->user, base, out->mutable_user());
  if (!owner->group.empty()) put_user(owner->group, base, out->mutable_group());
}

std::int64_t wire_time(const Timestamp& timestamp) { return timestamp.value_or(kNoTimestamp); }

/// `users`: the tree whose users the names of owners are.
void put_action(const FileAction& action, int users, llb::FileAction* out) {
  out->set_secondary_input(kNoInput);
  std::visit(Overloaded{
                 [&](const CopyAction& copy) {
                   out->set_input(copy.base);
                   out->set_secondary_input(copy.from);
                   llb::Copy* to = out->mutable_copy();
                   to->set_src(copy.src);
                   to->set_dest(copy.dest);
                   put_owner(copy.owner, users, to);
                   to->set_mode(copy.mode ? static_cast<std::int32_t>(*copy.mode) : -1);
                   to->set_follow_symlink(copy.follow_symlink);
                   to->set_dir_copy_contents(copy.copy_dir_contents);
                   to->set_create_dest_path(copy.create_dest_path);
                   to->set_allow_wildcard(copy.allow_wildcard);
                   to->set_allow_empty_wildcard(copy.allow_empty_wildcard);
                   to->set_timestamp(wire_time(copy.timestamp));
                   to->set_mode_str(copy.mode_change);
                   to->set_attempt_unpack(copy.attempt_unpack);
                   to->set_always_replace_existing_dest_paths(copy.always_replace);
                   for (const std::string& pattern : copy.include) to->add_include_patterns(pattern);
                   for (const std::string& pattern : copy.exclude) to->add_exclude_patterns(pattern);
                   for (const std::string& path : copy.required) to->add_required_paths(path);
                 },
                 [&](const MkdirAction& mkdir) {
                   out->set_input(mkdir.base);
                   llb::MkDir* to = out->mutable_mkdir();
                   to->set_path(mkdir.path);
                   to->set_mode(static_cast<std::int32_t>(mkdir.mode));
                   to->set_make_parents(mkdir.make_parents);
                   put_owner(mkdir.owner, users, to);
                   to->set_timestamp(wire_time(mkdir.timestamp));
                 },
                 [&](const MkfileAction& mkfile) {
                   out->set_input(mkfile.base);
                   llb::MkFile* to = out->mutable_mkfile();
                   to->set_path(mkfile.path);
                   to->set_mode(static_cast<std::int32_t>(mkfile.mode));
                   to->set_data(mkfile.data);
                   put_owner(mkfile.owner, users, to);
                   to->set_timestamp(wire_time(mkfile.timestamp));
                 },
                 [&](const RmAction& rm) {
                   out->set_input(rm.base);
                   llb::Rm* to = out->mutable_rm();
                   to->set_path(rm.path);
                   to->set_allow_not_found(rm.allow_not_found);
                   to->set_allow_wildcard(rm.allow_wildcard);
                 },
                 [&](const SymlinkAction& link) {
                   out->set_input(link.base);
                   llb::Symlink* to = out->mutable_symlink();
                   to->set_old_path(link.target);
                   to->set_new_path(link.path);
                   put_owner(link.owner, users, to);
                   to->set_timestamp(wire_time(link.timestamp));
                 },
             },
             action);
}

void put_mount(const Mount& mount, llb::Mount* to) {
  to->set_input(mount.input);
  to->set_selector(mount.selector);
  to->set_dest(mount.dest);
  to->set_output(mount.output);
  to->set_readonly(mount.readonly);
  to->set_mount_type(static_cast<std::int32_t>(mount.type));
  const auto put_access = [](const auto& from, auto* access) {
    access->set_id(from.id);
    access->set_uid(from.uid);
    access->set_gid(from.gid);
    access->set_mode(from.mode);
    access->set_optional(from.optional);
  };
  if (mount.secret) put_access(*mount.secret, to->mutable_secret());
  if (mount.ssh) put_access(*mount.ssh, to->mutable_ssh());
  if (mount.cache) {
    to->mutable_cache()->set_id(mount.cache->id);
    to->mutable_cache()->set_sharing(static_cast<std::int32_t>(mount.cache->sharing));
  }
  if (mount.type == MountType::Tmpfs || mount.tmpfs_size != 0)
    to->mutable_tmpfs()->set_size(mount.tmpfs_size);
  to->set_result_id(mount.result_id);
  to->set_content_cache(static_cast<std::int32_t>(mount.content_cache));
}

void put_exec(const ExecOp& exec, llb::ExecOp* out) {
  llb::Meta* meta = out->mutable_meta();
  for (const std::string& arg : exec.args) meta->add_args(arg);
  for (const std::string& variable : exec.env) meta->add_env(variable);
  meta->set_cwd(exec.cwd);
  meta->set_user(exec.user);
  meta->set_hostname(exec.hostname);
  if (exec.proxy) {
    llb::ProxyEnv* proxy = meta->mutable_proxy_env();
    proxy->set_http_proxy(exec.proxy->http_proxy);
    proxy->set_https_proxy(exec.proxy->https_proxy);
    proxy->set_ftp_proxy(exec.proxy->ftp_proxy);
    proxy->set_no_proxy(exec.proxy->no_proxy);
    proxy->set_all_proxy(exec.proxy->all_proxy);
  }
  for (const ExtraHost& host : exec.extra_hosts) {
    llb::HostIp* to = meta->add_extra_hosts();
    to->set_host(host.host);
    to->set_ip(host.address);
  }
  for (const Ulimit& limit : exec.ulimits) {
    llb::Ulimit* to = meta->add_ulimit();
    to->set_name(limit.name);
    to->set_soft(limit.soft);
    to->set_hard(limit.hard);
  }
  meta->set_cgroup_parent(exec.cgroup_parent);
  meta->set_remove_mount_stubs_recursive(exec.remove_mount_stubs);
  for (const int code : exec.valid_exit_codes) meta->add_valid_exit_codes(code);
  for (const Mount& mount : exec.mounts) put_mount(mount, out->add_mounts());
  out->set_network(static_cast<std::int32_t>(exec.network));
  out->set_security(static_cast<std::int32_t>(exec.security));
  for (const DeviceRequest& device : exec.devices) {
    llb::CdiDevice* to = out->add_cdi_devices();
    to->set_name(device.name);
    to->set_optional(device.optional);
  }
  for (const SecretEnv& secret : exec.secret_env) {
    llb::SecretEnv* to = out->add_secretenv();
    to->set_id(secret.id);
    to->set_name(secret.name);
    to->set_optional(secret.optional);
  }
}

void put_file(const FileOp& file, std::size_t inputs, llb::FileOp* out) {
  std::vector<int> first;
  for (std::size_t i = 0; i < file.actions.size(); ++i) {
    llb::FileAction* action = out->add_actions();
    first.push_back(first_tree(base_of(file.actions[i]), inputs, first));
    put_action(file.actions[i], first.back(), action);
    // Only the last action's tree leaves the op.
    action->set_output(i + 1 == file.actions.size() ? 0 : kNoOutput);
  }
}

void put_frame(const Op& op, llb::Op& out) {
  for (const Input& input : op.inputs) {
    llb::Input* to = out.add_inputs();
    to->set_digest(input.vertex.str());
    to->set_index(input.index);
  }
  if (op.platform) {
    out.mutable_platform()->set_architecture(op.platform->architecture());
    out.mutable_platform()->set_os(op.platform->os());
    out.mutable_platform()->set_variant(op.platform->variant());
    out.mutable_platform()->set_os_version(op.platform->os_version());
  }
  if (op.constraints) {
    llb::Constraints* to = out.mutable_constraints();
    for (const std::string& filter : *op.constraints) to->add_filter(filter);
  }
}

void put_body(const Op& op, llb::Op& out) {
  std::visit(Overloaded{
                 [&](const SourceOp& source) {
                   out.mutable_source()->set_identifier(source.identifier);
                   for (const auto& [key, value] : source.attrs)
                     (*out.mutable_source()->mutable_attrs())[key] = value;
                 },
                 [&](const ExecOp& exec) { put_exec(exec, out.mutable_exec()); },
                 [&](const FileOp& file) { put_file(file, op.inputs.size(), out.mutable_file()); },
                 [&](const MergeOp&) {
                   out.mutable_merge();
                   for (std::size_t i = 0; i < op.inputs.size(); ++i)
                     out.mutable_merge()->add_inputs()->set_input(static_cast<std::int64_t>(i));
                 },
                 [&](const DiffOp& diff) {
                   out.mutable_diff()->mutable_lower()->set_input(diff.lower);
                   out.mutable_diff()->mutable_upper()->set_input(diff.upper);
                 },
             },
             op.what);
}

}  // namespace

std::string encode_op(const Op& op) {
  // Most ops fit into it, and their messages then cost no allocation.
  std::array<char, 8192> room;
  google::protobuf::ArenaOptions in_room;
  in_room.initial_block = room.data();
  in_room.initial_block_size = room.size();
  google::protobuf::Arena arena(in_room);
  // BuildKit writes what kind of operation it is last, whatever its field number: equal ops have equal
  // digests.
  llb::Op* frame = google::protobuf::Arena::CreateMessage<llb::Op>(&arena);
  llb::Op* body = google::protobuf::Arena::CreateMessage<llb::Op>(&arena);
  put_frame(op, *frame);
  put_body(op, *body);
  return serialise(*frame) + serialise(*body);
}

}  // namespace slipway
