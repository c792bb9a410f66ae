#pragma once
// Operations with everything that the wire form can say, made up from a seed.
#include <random>
#include <string>

#include "graph/ops.h"

namespace slipway::testing_support {

class RandomOps {
 public:
  explicit RandomOps(unsigned seed) : random_(seed) {}

  Op op() {
    Op op{.inputs = {}, .what = SourceOp{}, .platform = {}};
    const int kind = number(0, 4);
    const int inputs = kind == 0 ? 0 : number(kind == 1 ? 1 : 0, 4);
    for (int i = 0; i < inputs; ++i) op.inputs.push_back({Digest::of(text()), maybe() ? 0 : number(0, 9)});
    switch (kind) {
      case 0:
        op.what = source();
        break;
      case 1:
        op.what = exec(inputs);
        break;
      case 2:
        op.what = file(inputs);
        break;
      case 3:
        op.what = MergeOp{};
        break;
      default:
        op.what = DiffOp{.lower = index(inputs), .upper = index(inputs)};
    }
    static const char* const kPlatforms[] = {"linux/amd64", "linux/arm/v7", "linux/arm64", "linux/riscv64"};
    if (maybe()) op.platform = Platform::parse(kPlatforms[number(0, 3)]);
    if (maybe()) op.constraints = texts();
    return op;
  }

 private:
  bool maybe() { return number(0, 1) == 1; }
  int number(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  int index(int inputs) { return number(kNoInput, inputs - 1); }
  std::int64_t large() {
    return std::uniform_int_distribution<std::int64_t>(std::numeric_limits<std::int64_t>::min())(random_);
  }
  /// Bytes of any kind.
  std::string text() {
    std::string text;
    for (int length = number(0, 12); length > 0; --length) text += static_cast<char>(number(0, 255));
    return text;
  }
  /// Keys of maps and names that count are UTF-8.
  std::string word() {
    std::string word = "w";
    for (int length = number(0, 8); length > 0; --length) word += static_cast<char>(number('a', 'z'));
    return word;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (int count = number(0, 3); count > 0; --count) texts.push_back(text());
    return texts;
  }
  std::optional<Owner> owner() {
    if (maybe()) return std::nullopt;
    const auto name = [&] { return maybe() ? word() : std::to_string(number(0, 100000)); };
    return Owner{name(), maybe() ? name() : ""};
  }
  Timestamp timestamp() {
    if (maybe()) return std::nullopt;
    const std::int64_t time = large();
    return time == -1 ? 0 : time;
  }

  SourceOp source() {
    SourceOp source{.identifier = text(), .attrs = {}};
    for (int count = number(0, 5); count > 0; --count) source.attrs[word()] = text();
    return source;
  }

  Mount mount(int inputs) {
    Mount mount{.type = static_cast<MountType>(number(0, 4)),
                .input = index(inputs),
                .selector = text(),
                .dest = text(),
                .output = number(-1, 4),
                .readonly = maybe()};
    const auto id = static_cast<unsigned>(number(0, 1 << 20));
    if (mount.type == MountType::Secret) mount.secret = SecretMount{text(), id, id / 2, id % 07777, maybe()};
    if (mount.type == MountType::Ssh) mount.ssh = SshMount{text(), id, id / 3, id % 07777, maybe()};
    if (mount.type == MountType::Cache)
      mount.cache = CacheMount{text(), static_cast<CacheSharing>(number(0, 2))};
    if (mount.type == MountType::Tmpfs && maybe()) mount.tmpfs_size = large();
    mount.result_id = text();
    mount.content_cache = static_cast<ContentCache>(number(0, 2));
    return mount;
  }

  ExecOp exec(int inputs) {
    ExecOp exec{.args = texts(), .env = texts(), .cwd = text(), .user = text(), .hostname = text()};
    for (int count = number(0, 4); count > 0; --count) exec.mounts.push_back(mount(inputs));
    for (int count = number(0, 2); count > 0; --count) exec.secret_env.push_back({text(), text(), maybe()});
    exec.network = static_cast<NetworkMode>(number(0, 2));
    exec.security = static_cast<SecurityMode>(number(0, 1));
    for (int count = number(0, 2); count > 0; --count) exec.devices.push_back({text(), maybe()});
    if (maybe()) exec.proxy = ProxyEnv{text(), text(), text(), text(), text()};
    for (int count = number(0, 2); count > 0; --count) exec.extra_hosts.push_back({text(), text()});
    for (int count = number(0, 2); count > 0; --count) exec.ulimits.push_back({text(), large(), large()});
    exec.cgroup_parent = text();
    exec.remove_mount_stubs = maybe();
    for (int count = number(0, 3); count > 0; --count) exec.valid_exit_codes.push_back(number(-1, 300));
    return exec;
  }

  FileAction action(int trees) {
    const int base = index(trees);
    switch (number(0, 4)) {
      case 0: {
        CopyAction copy{.base = base, .from = index(trees), .src = text(), .dest = text(), .owner = owner()};
        if (maybe()) copy.mode = static_cast<unsigned>(number(0, 07777));
        copy.mode_change = text();
        for (bool* flag :
             {&copy.follow_symlink, &copy.copy_dir_contents, &copy.create_dest_path, &copy.allow_wildcard,
              &copy.allow_empty_wildcard, &copy.attempt_unpack, &copy.always_replace})
          *flag = maybe();
        copy.include = texts();
        copy.exclude = texts();
        copy.required = texts();
        copy.timestamp = timestamp();
        return copy;
      }
      case 1:
        return MkdirAction{.base = base,
                           .path = text(),
                           .mode = static_cast<unsigned>(number(0, 07777)),
                           .make_parents = maybe(),
                           .owner = owner(),
                           .timestamp = timestamp()};
      case 2:
        return MkfileAction{.base = base,
                            .path = text(),
                            .mode = static_cast<unsigned>(number(0, 07777)),
                            .data = text(),
                            .owner = owner(),
                            .timestamp = timestamp()};
      case 3:
        return RmAction{.base = base, .path = text(), .allow_not_found = maybe(), .allow_wildcard = maybe()};
      default:
        return SymlinkAction{
            .base = base, .target = text(), .path = text(), .owner = owner(), .timestamp = timestamp()};
    }
  }

  FileOp file(int inputs) {
    FileOp file;
    const int count = number(1, 4);
    for (int i = 0; i < count; ++i) file.actions.push_back(action(inputs + i));
    return file;
  }

  std::mt19937 random_;
};

}  // namespace slipway::testing_support
