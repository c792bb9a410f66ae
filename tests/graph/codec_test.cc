#include "graph/codec.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/strings.h"

namespace slipway {
namespace {

Op image_source() {
  return {.inputs = {},
          .what = SourceOp{.identifier = "docker-image://docker.io/library/alpine:latest",
                           .attrs = {{"b", "2"}, {"a", "1"}}},
          .platform = Platform::parse("linux/arm64")};
}

TEST(Codec, ImageSourceHasTheFieldNumbersOfLlb) {
  // Hand-made after the published field numbers: source = 3 {identifier = 1, attrs = 2 {key = 1, value = 2}},
  // platform = 10 {architecture = 1, os = 2}.
  const std::string identifier = "docker-image://docker.io/library/alpine:latest";
  const std::string attrs =
      "\x12\x06\x0a\x01"
      "a"
      "\x12\x01"
      "1"
      "\x12\x06\x0a\x01"
      "b"
      "\x12\x01"
      "2";
  const std::string source = concat("\x0a", static_cast<char>(identifier.size()), identifier, attrs);
  const std::string platform =
      "\x0a\x05"
      "arm64"
      "\x12\x05"
      "linux";
  // The operation's kind comes last, as BuildKit's own encoder has it.
  const std::string expected = concat("\x52", static_cast<char>(platform.size()), platform, "\x1a",
                                      static_cast<char>(source.size()), source);
  EXPECT_EQ(encode_op(image_source()), expected);
}

TEST(Codec, ExecSurvivesTheWayThere) {
  const Digest input = Digest::of("x");
  ExecOp exec{.args = {"/bin/sh", "-c", "make"}, .env = {"A=b"}, .cwd = "/src", .user = "1000:1000"};
  exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
  exec.mounts.push_back({.type = MountType::Secret,
                         .dest = "/run/secrets/k",
                         .secret = SecretMount{.id = "k", .optional = false}});
  exec.secret_env.push_back({.id = "t", .name = "TOKEN"});
  exec.network = NetworkMode::None;
  exec.proxy = ProxyEnv{.http_proxy = "http://p"};
  const Op op{.inputs = {{input}}, .what = exec, .platform = Platform::parse("linux/amd64")};
  const Op back = decode_op(encode_op(op));
  EXPECT_EQ(std::get<ExecOp>(back.what), exec);
  EXPECT_EQ(back.inputs, op.inputs);
  EXPECT_EQ(back.platform, op.platform);
}

TEST(Codec, EveryKindOfMountSurvivesTheWayThere) {
  ExecOp exec{.args = {"true"}};
  exec.mounts.push_back({.input = 0, .dest = "/", .output = 0});
  exec.mounts.push_back({.input = 1, .selector = "/src", .dest = "/src", .readonly = true});
  exec.mounts.push_back({.type = MountType::Cache,
                         .dest = "/cache",
                         .cache = CacheMount{.id = "go", .sharing = CacheSharing::Locked}});
  exec.mounts.push_back({.type = MountType::Tmpfs, .dest = "/tmp", .tmpfs_size = 1 << 20});
  exec.mounts.push_back({.type = MountType::Ssh, .dest = "/run/agent", .ssh = SshMount{.id = "default"}});
  exec.security = SecurityMode::Insecure;
  exec.devices.push_back({.name = "vendor.com/gpu=all", .optional = true});
  const Op op{.inputs = {{Digest::of("x")}, {Digest::of("y")}}, .what = exec, .platform = {}};
  EXPECT_EQ(std::get<ExecOp>(decode_op(encode_op(op)).what), exec);
}

TEST(Codec, MergeSurvivesTheWayThere) {
  const Op op{.inputs = {{Digest::of("base")}, {Digest::of("copy")}}, .what = MergeOp{}, .platform = {}};
  // merge = 6 {inputs = 1 {}, inputs = 1 {input = 1: 1}}, by the published field numbers.
  EXPECT_TRUE(encode_op(op).ends_with(std::string("\x32\x06\x0a\x00\x0a\x02\x08\x01", 8)));
  const Op back = decode_op(encode_op(op));
  EXPECT_TRUE(std::holds_alternative<MergeOp>(back.what));
  EXPECT_EQ(back.inputs, op.inputs);
}

TEST(Codec, FileActionsSurviveTheWayThere) {
  FileOp file;
  file.actions.push_back(CopyAction{.base = 0,
                                    .from = 1,
                                    .src = "/a",
                                    .dest = "/b/",
                                    .owner = Owner{"app", "100"},
                                    .mode = 0640,
                                    .exclude = {"*.log"}});
  file.actions.push_back(CopyAction{.base = 2,
                                    .from = 1,
                                    .src = "/a.tgz",
                                    .dest = "/b/",
                                    .mode_change = "u+x,go-w",
                                    .attempt_unpack = true,
                                    .include = {"src/**"},
                                    .required = {"src/main.c"}});
  file.actions.push_back(MkdirAction{.base = 3, .path = "/d", .owner = Owner{"0", "0"}});
  file.actions.push_back(MkfileAction{.base = 4, .path = "/f", .data = std::string("\0x", 2)});
  file.actions.push_back(RmAction{.base = 5, .path = "/g", .allow_not_found = true});
  const Op op{.inputs = {{Digest::of("x")}, {Digest::of("y")}}, .what = file, .platform = {}};
  EXPECT_EQ(std::get<FileOp>(decode_op(encode_op(op)).what), file);
}

TEST(Codec, NoBytesAreNoOperation) {
  EXPECT_THROW(decode_op(""), InvalidInput);
  EXPECT_THROW(decode_op("\xff\xff\xff"), InvalidInput);
}

}  // namespace
}  // namespace slipway
