#include "graph/codec.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <array>

#include "base/error.h"
#include "base/strings.h"
#include "llb.pb.h"

namespace slipway {

namespace {

// protobuf's maps have no order of their own; a digest needs one.
std::string serialise(const google::protobuf::MessageLite& message) {
  std::string bytes(message.ByteSizeLong(), '\0');
  google::protobuf::io::ArrayOutputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  return bytes;
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
// Written out for compilers that do not deduce it yet: the fuzzer is built by an older clang.
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// ---- typed -> wire ----

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

void put_action(const FileAction& action, llb::FileAction* out) {
  out->set_secondary_input(kNoInput);
  std::visit(Overloaded{
                 [&](const CopyAction& copy) {
                   out->set_input(copy.base);
                   out->set_secondary_input(copy.from);
                   llb::Copy* to = out->mutable_copy();
                   to->set_src(copy.src);
                   to->set_dest(copy.dest);
                   put_owner(copy.owner, copy.base, to);
                   to->set_mode(copy.mode ? static_cast<std::int32_t>(*copy.mode) : -1);
                   to->set_follow_symlink(copy.follow_symlink);
                   to->set_dir_copy_contents(copy.copy_dir_contents);
                   to->set_create_dest_path(copy.create_dest_path);
                   to->set_allow_wildcard(copy.allow_wildcard);
                   to->set_allow_empty_wildcard(copy.allow_empty_wildcard);
                   to->set_timestamp(-1);
                   to->set_mode_str(copy.mode_change);
                   to->set_attempt_unpack(copy.attempt_unpack);
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
                   put_owner(mkdir.owner, mkdir.base, to);
                   to->set_timestamp(-1);
                 },
                 [&](const MkfileAction& mkfile) {
                   out->set_input(mkfile.base);
                   llb::MkFile* to = out->mutable_mkfile();
                   to->set_path(mkfile.path);
                   to->set_mode(static_cast<std::int32_t>(mkfile.mode));
                   to->set_data(mkfile.data);
                   put_owner(mkfile.owner, mkfile.base, to);
                   to->set_timestamp(-1);
                 },
                 [&](const RmAction& rm) {
                   out->set_input(rm.base);
                   llb::Rm* to = out->mutable_rm();
                   to->set_path(rm.path);
                   to->set_allow_not_found(rm.allow_not_found);
                   to->set_allow_wildcard(rm.allow_wildcard);
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
  if (mount.tmpfs_size != 0) to->mutable_tmpfs()->set_size(mount.tmpfs_size);
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

void put_file(const FileOp& file, llb::FileOp* out) {
  for (std::size_t i = 0; i < file.actions.size(); ++i) {
    llb::FileAction* action = out->add_actions();
    put_action(file.actions[i], action);
    // Only the last action's tree leaves the op.
    action->set_output(i + 1 == file.actions.size() ? 0 : kNoOutput);
  }
}

// ---- wire -> typed ----

std::string get_user(const llb::UserOpt& user) {
  return user.has_by_name() ? user.by_name().name() : std::to_string(user.by_id());
}

template <class Message>
std::optional<Owner> get_owner(const Message& message) {
  if (!message.has_owner()) return std::nullopt;
  Owner owner{.user = get_user(message.owner().user()), .group = {}};
  if (message.owner().has_group()) owner.group = get_user(message.owner().group());
  return owner;
}

FileAction get_action(const llb::FileAction& in) {
  const int base = static_cast<int>(in.input());
  switch (in.action_case()) {
    case llb::FileAction::kCopy: {
      const llb::Copy& copy = in.copy();
      CopyAction out{.base = base,
                     .from = static_cast<int>(in.secondary_input()),
                     .src = copy.src(),
                     .dest = copy.dest()};
      out.owner = get_owner(copy);
      if (copy.mode() >= 0) out.mode = static_cast<unsigned>(copy.mode());
      out.follow_symlink = copy.follow_symlink();
      out.copy_dir_contents = copy.dir_copy_contents();
      out.create_dest_path = copy.create_dest_path();
      out.allow_wildcard = copy.allow_wildcard();
      out.allow_empty_wildcard = copy.allow_empty_wildcard();
      out.mode_change = copy.mode_str();
      out.attempt_unpack = copy.attempt_unpack();
      out.include.assign(copy.include_patterns().begin(), copy.include_patterns().end());
      out.exclude.assign(copy.exclude_patterns().begin(), copy.exclude_patterns().end());
      out.required.assign(copy.required_paths().begin(), copy.required_paths().end());
      return out;
    }
    case llb::FileAction::kMkdir:
      return MkdirAction{.base = base,
                         .path = in.mkdir().path(),
                         .mode = static_cast<unsigned>(in.mkdir().mode()),
                         .make_parents = in.mkdir().make_parents(),
                         .owner = get_owner(in.mkdir())};
    case llb::FileAction::kMkfile:
      return MkfileAction{.base = base,
                          .path = in.mkfile().path(),
                          .mode = static_cast<unsigned>(in.mkfile().mode()),
                          .data = in.mkfile().data(),
                          .owner = get_owner(in.mkfile())};
    case llb::FileAction::kRm:
      return RmAction{.base = base,
                      .path = in.rm().path(),
                      .allow_not_found = in.rm().allow_not_found(),
                      .allow_wildcard = in.rm().allow_wildcard()};
    case llb::FileAction::ACTION_NOT_SET:
      break;
  }
  throw InvalidInput("a file operation of a kind that slipway does not know");
}

/// SecretMount or SshMount: the same fields.
template <class Access, class Message>
Access get_access(const Message& in) {
  return {.id = in.id(), .uid = in.uid(), .gid = in.gid(), .mode = in.mode(), .optional = in.optional()};
}

Mount get_mount(const llb::Mount& in) {
  if (in.mount_type() < 0 || in.mount_type() > 4)
    throw InvalidInput(concat("mount type ", in.mount_type(), " is unknown"));
  Mount mount{.type = static_cast<MountType>(in.mount_type()),
              .input = static_cast<int>(in.input()),
              .selector = in.selector(),
              .dest = in.dest(),
              .output = static_cast<int>(in.output()),
              .readonly = in.readonly()};
  if (in.has_secret()) mount.secret = get_access<SecretMount>(in.secret());
  if (in.has_ssh()) mount.ssh = get_access<SshMount>(in.ssh());
  if (in.has_cache()) {
    if (in.cache().sharing() < 0 || in.cache().sharing() > 2)
      throw InvalidInput(concat("cache sharing ", in.cache().sharing(), " is unknown"));
    mount.cache =
        CacheMount{.id = in.cache().id(), .sharing = static_cast<CacheSharing>(in.cache().sharing())};
  }
  if (in.has_tmpfs()) mount.tmpfs_size = in.tmpfs().size();
  return mount;
}

ExecOp get_exec(const llb::ExecOp& in) {
  if (in.security() < 0 || in.security() > 1)
    throw InvalidInput(concat("security mode ", in.security(), " is unknown"));
  if (in.network() < 0 || in.network() > 2)
    throw InvalidInput(concat("network mode ", in.network(), " is unknown"));
  ExecOp exec;
  exec.args.assign(in.meta().args().begin(), in.meta().args().end());
  exec.env.assign(in.meta().env().begin(), in.meta().env().end());
  exec.cwd = in.meta().cwd();
  exec.user = in.meta().user();
  exec.hostname = in.meta().hostname();
  if (in.meta().has_proxy_env()) {
    const llb::ProxyEnv& proxy = in.meta().proxy_env();
    exec.proxy = ProxyEnv{proxy.http_proxy(), proxy.https_proxy(), proxy.ftp_proxy(), proxy.no_proxy(),
                          proxy.all_proxy()};
  }
  for (const llb::HostIp& host : in.meta().extra_hosts())
    exec.extra_hosts.push_back({.host = host.host(), .address = host.ip()});
  for (const llb::Ulimit& limit : in.meta().ulimit())
    exec.ulimits.push_back({.name = limit.name(), .soft = limit.soft(), .hard = limit.hard()});
  for (const llb::Mount& mount : in.mounts()) exec.mounts.push_back(get_mount(mount));
  for (const llb::SecretEnv& secret : in.secretenv())
    exec.secret_env.push_back({.id = secret.id(), .name = secret.name(), .optional = secret.optional()});
  exec.network = static_cast<NetworkMode>(in.network());
  exec.security = static_cast<SecurityMode>(in.security());
  for (const llb::CdiDevice& device : in.cdi_devices())
    exec.devices.push_back({.name = device.name(), .optional = device.optional()});
  return exec;
}

void put_op(const Op& op, llb::Op& out) {
  for (const Input& input : op.inputs) out.add_inputs()->set_digest(input.vertex.str());
  std::visit(Overloaded{
                 [&](const SourceOp& source) {
                   out.mutable_source()->set_identifier(source.identifier);
                   for (const auto& [key, value] : source.attrs)
                     (*out.mutable_source()->mutable_attrs())[key] = value;
                 },
                 [&](const ExecOp& exec) { put_exec(exec, out.mutable_exec()); },
                 [&](const FileOp& file) { put_file(file, out.mutable_file()); },
                 [&](const MergeOp&) {
                   for (std::size_t i = 0; i < op.inputs.size(); ++i)
                     out.mutable_merge()->add_inputs()->set_input(static_cast<std::int64_t>(i));
                 },
             },
             op.what);
  if (op.platform) {
    out.mutable_platform()->set_architecture(op.platform->architecture());
    out.mutable_platform()->set_os(op.platform->os());
    out.mutable_platform()->set_variant(op.platform->variant());
    out.mutable_platform()->set_os_version(op.platform->os_version());
  }
}

}  // namespace

std::string encode_op(const Op& op) {
  // Most ops fit into it, and their messages then cost no allocation.
  std::array<char, 8192> room;
  google::protobuf::ArenaOptions in_room;
  in_room.initial_block = room.data();
  in_room.initial_block_size = room.size();
  google::protobuf::Arena arena(in_room);
  llb::Op* out = google::protobuf::Arena::CreateMessage<llb::Op>(&arena);
  put_op(op, *out);
  return serialise(*out);
}

Op decode_op(std::string_view bytes) {
  llb::Op in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw InvalidInput("not an LLB operation");
  Op op{.inputs = {}, .what = SourceOp{}, .platform = {}};
  for (const llb::Input& input : in.inputs()) {
    if (input.index() != 0) throw InvalidInput("an operation with more than one result");
    op.inputs.push_back({Digest::parse(input.digest())});
  }
  switch (in.op_case()) {
    case llb::Op::kSource:
      op.what = SourceOp{.identifier = in.source().identifier(),
                         .attrs = {in.source().attrs().begin(), in.source().attrs().end()}};
      break;
    case llb::Op::kExec:
      op.what = get_exec(in.exec());
      break;
    case llb::Op::kFile: {
      FileOp file;
      for (const llb::FileAction& action : in.file().actions()) file.actions.push_back(get_action(action));
      op.what = std::move(file);
      break;
    }
    case llb::Op::kMerge:
      for (int i = 0; i < in.merge().inputs_size(); ++i)
        if (in.merge().inputs(i).input() != i)
          throw InvalidInput("a merge that does not take its inputs in order");
      op.what = MergeOp{};
      break;
    case llb::Op::OP_NOT_SET:
      throw InvalidInput("an operation of a kind that slipway does not know");
  }
  if (in.has_platform())
    op.platform = Platform::from_fields(in.platform().os(), in.platform().architecture(),
                                        in.platform().variant(), in.platform().os_version());
  return op;
}

std::string encode_definition(const Graph& graph, const Digest& result) {
  llb::Definition definition;
  for (const Digest& digest : graph.reachable_from({result})) {
    const Vertex& vertex = graph.at(digest);
    definition.add_def(encode_op(vertex.op));
    llb::OpMetadata& metadata = (*definition.mutable_metadata())[digest.str()];
    metadata.set_ignore_cache(vertex.info.ignore_cache);
    (*metadata.mutable_description())["llb.customname"] = vertex.info.name;
  }
  llb::Op end;
  end.add_inputs()->set_digest(result.str());
  definition.add_def(serialise(end));
  return serialise(definition);
}

}  // namespace slipway
