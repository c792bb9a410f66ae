// The wire form read back. Bytes come from anywhere: every index is checked before anyone follows it.
#include <google/protobuf/message.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/strings.h"
#include "graph/codec.h"
#include "graph/wire.h"
#include "llb.pb.h"

namespace slipway {

namespace {

using google::protobuf::FieldDescriptor;

/// What one does not know cannot be done, nor left out.
void check_known(const google::protobuf::Message& message) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  const google::protobuf::UnknownFieldSet& unknown = reflection->GetUnknownFields(message);
  if (!unknown.empty())
    throw InvalidInput(concat("field ", unknown.field(0).number(), " of its ",
                              message.GetDescriptor()->name(), " is none that slipway knows"));
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      check_known(reflection->GetMessage(message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      check_known(reflection->GetRepeatedMessage(message, field, i));
  }
}

/// An index below `count`, or kNoInput.
int get_index(std::int64_t index, std::size_t count, std::string_view what) {
  if (index < kNoInput || (index >= 0 && static_cast<std::uint64_t>(index) >= count))
    throw InvalidInput(concat(what, " ", index, " does not exist"));
  return static_cast<int>(index);
}

/// A number that is only kept.
int get_small(std::int64_t number, std::string_view what) {
  constexpr std::int64_t kMost = 1 << 20;
  if (number < -1 || number > kMost) throw InvalidInput(concat(what, " ", number, " makes no sense"));
  return static_cast<int>(number);
}

Timestamp get_time(std::int64_t timestamp) {
  return timestamp == kNoTimestamp ? Timestamp() : Timestamp(timestamp);
}

/// Names are looked up in the tree that is changed, which began as `base`, and in no other.
std::string get_user(const llb::UserOpt& user, std::int64_t base) {
  if (!user.has_by_name()) return std::to_string(user.by_id());
  if (user.by_name().input() != base)
    throw InvalidInput(concat("the user \"", user.by_name().name(),
                              "\" is to be looked up in another tree than the one that is changed"));
  return user.by_name().name();
}

template <class Message>
std::optional<Owner> get_owner(const Message& message, std::int64_t base) {
  if (!message.has_owner()) return std::nullopt;
  Owner owner{.user = get_user(message.owner().user(), base), .group = {}};
  if (message.owner().has_group()) owner.group = get_user(message.owner().group(), base);
  return owner;
}

/// `trees`: how many inputs and results of earlier actions there are; `users`: the tree whose users owners
/// are.
FileAction get_action(const llb::FileAction& in, std::size_t trees, int users) {
  const int base = get_index(in.input(), trees, "the tree");
  if (in.action_case() != llb::FileAction::kCopy && in.secondary_input() != kNoInput)
    throw InvalidInput("a file action that copies nothing has a second input");
  switch (in.action_case()) {
    case llb::FileAction::kCopy: {
      const llb::Copy& copy = in.copy();
      CopyAction out{.base = base,
                     .from = get_index(in.secondary_input(), trees, "the tree"),
                     .src = copy.src(),
                     .dest = copy.dest()};
      out.owner = get_owner(copy, users);
      if (copy.mode() >= 0) out.mode = static_cast<unsigned>(copy.mode());
      out.follow_symlink = copy.follow_symlink();
      out.copy_dir_contents = copy.dir_copy_contents();
      out.create_dest_path = copy.create_dest_path();
      out.allow_wildcard = copy.allow_wildcard();
      out.allow_empty_wildcard = copy.allow_empty_wildcard();
      out.mode_change = copy.mode_str();
      out.attempt_unpack = copy.attempt_unpack();
      out.always_replace = copy.always_replace_existing_dest_paths();
      out.timestamp = get_time(copy.timestamp());
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
                         .owner = get_owner(in.mkdir(), users),
                         .timestamp = get_time(in.mkdir().timestamp())};
    case llb::FileAction::kMkfile:
      return MkfileAction{.base = base,
                          .path = in.mkfile().path(),
                          .mode = static_cast<unsigned>(in.mkfile().mode()),
                          .data = in.mkfile().data(),
                          .owner = get_owner(in.mkfile(), users),
                          .timestamp = get_time(in.mkfile().timestamp())};
    case llb::FileAction::kRm:
      return RmAction{.base = base,
                      .path = in.rm().path(),
                      .allow_not_found = in.rm().allow_not_found(),
                      .allow_wildcard = in.rm().allow_wildcard()};
    case llb::FileAction::kSymlink:
      return SymlinkAction{.base = base,
                           .target = in.symlink().old_path(),
                           .path = in.symlink().new_path(),
                           .owner = get_owner(in.symlink(), users),
                           .timestamp = get_time(in.symlink().timestamp())};
    case llb::FileAction::ACTION_NOT_SET:
      break;
  }
  throw InvalidInput("a file action of a kind that slipway does not know");
}

FileOp get_file(const llb::FileOp& in, std::size_t inputs) {
  FileOp file;
  std::vector<int> first;
  const auto count = static_cast<std::size_t>(in.actions_size());
  if (count == 0) throw InvalidInput("a file operation without actions");
  for (std::size_t i = 0; i < count; ++i) {
    const llb::FileAction& action = in.actions(static_cast<int>(i));
    if ((action.output() == 0) != (i + 1 == count) || action.output() > 0)
      throw InvalidInput("a file operation whose result is not that of its last action alone");
    first.push_back(first_tree(get_index(action.input(), inputs + i, "the tree"), inputs, first));
    file.actions.push_back(get_action(action, inputs + i, first.back()));
  }
  return file;
}

/// SecretMount or SshMount: the same fields.
template <class Access, class Message>
Access get_access(const Message& in) {
  return {.id = in.id(), .uid = in.uid(), .gid = in.gid(), .mode = in.mode(), .optional = in.optional()};
}

Mount get_mount(const llb::Mount& in, std::size_t inputs) {
  if (in.mount_type() < 0 || in.mount_type() > 4)
    throw InvalidInput(concat("mount type ", in.mount_type(), " is unknown"));
  Mount mount{.type = static_cast<MountType>(in.mount_type()),
              .input = get_index(in.input(), inputs, "the input"),
              .selector = in.selector(),
              .dest = in.dest(),
              .output = get_small(in.output(), "the output"),
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
  if (in.content_cache() < 0 || in.content_cache() > 2)
    throw InvalidInput(concat("content cache ", in.content_cache(), " is unknown"));
  mount.content_cache = static_cast<ContentCache>(in.content_cache());
  mount.result_id = in.result_id();
  return mount;
}

ExecOp get_exec(const llb::ExecOp& in, std::size_t inputs) {
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
  exec.cgroup_parent = in.meta().cgroup_parent();
  exec.remove_mount_stubs = in.meta().remove_mount_stubs_recursive();
  exec.valid_exit_codes.assign(in.meta().valid_exit_codes().begin(), in.meta().valid_exit_codes().end());
  for (const llb::Mount& mount : in.mounts()) exec.mounts.push_back(get_mount(mount, inputs));
  for (const llb::SecretEnv& secret : in.secretenv())
    exec.secret_env.push_back({.id = secret.id(), .name = secret.name(), .optional = secret.optional()});
  exec.network = static_cast<NetworkMode>(in.network());
  exec.security = static_cast<SecurityMode>(in.security());
  for (const llb::CdiDevice& device : in.cdi_devices())
    exec.devices.push_back({.name = device.name(), .optional = device.optional()});
  return exec;
}

void check_merge(const llb::MergeOp& merge, std::size_t inputs) {
  bool in_order = static_cast<std::size_t>(merge.inputs_size()) == inputs;
  for (int i = 0; i < merge.inputs_size(); ++i) in_order = in_order && merge.inputs(i).input() == i;
  if (!in_order) throw InvalidInput("a merge that does not take each of its inputs in order");
}

/// Platforms become names of files and of programs.
Platform get_platform(const llb::Platform& in) {
  const auto check = [](const std::string& text) {
    const auto is_plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
             c == '-' || c == '_';
    };
    if (text.size() > 64 || !std::ranges::all_of(text, is_plain))
      throw InvalidInput("its platform is not one");
  };
  for (const std::string* text : {&in.os(), &in.architecture(), &in.variant(), &in.os_version()})
    check(*text);
  if (in.os().empty() || in.architecture().empty())
    throw InvalidInput("its platform lacks the operating system or the architecture");
  return Platform::from_fields(in.os(), in.architecture(), in.variant(), in.os_version());
}

}  // namespace

Op decode_op(std::string_view bytes) {
  llb::Op in;
  if (bytes.size() > kMostWireBytes || !in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw InvalidInput("not an LLB operation");
  Op op{.inputs = {}, .what = SourceOp{}, .platform = {}, .constraints = {}};
  for (const llb::Input& input : in.inputs()) {
    if (input.index() < 0)
      throw InvalidInput(concat("result ", input.index(), " of an input makes no sense"));
    op.inputs.push_back({Digest::parse(input.digest()), get_small(input.index(), "the result")});
  }
  const std::size_t inputs = op.inputs.size();
  switch (in.op_case()) {
    case llb::Op::kSource:
      op.what = SourceOp{.identifier = in.source().identifier(),
                         .attrs = {in.source().attrs().begin(), in.source().attrs().end()}};
      break;
    case llb::Op::kExec:
      op.what = get_exec(in.exec(), inputs);
      break;
    case llb::Op::kFile:
      op.what = get_file(in.file(), inputs);
      break;
    case llb::Op::kMerge:
      check_merge(in.merge(), inputs);
      op.what = MergeOp{};
      break;
    case llb::Op::kDiff:
      op.what = DiffOp{.lower = get_index(in.diff().lower().input(), inputs, "the input"),
                       .upper = get_index(in.diff().upper().input(), inputs, "the input")};
      break;
    case llb::Op::OP_NOT_SET:
      throw InvalidInput("an operation of a kind that slipway does not know");
  }
  check_known(in);
  if (in.has_platform()) op.platform = get_platform(in.platform());
  if (in.has_constraints())
    op.constraints.emplace(in.constraints().filter().begin(), in.constraints().filter().end());
  return op;
}

}  // namespace slipway
