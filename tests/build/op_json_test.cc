#include "build/op_json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/strings.h"

namespace slipway {
namespace {

using Json = nlohmann::json;

Json json_of(const Op& op, const SecretMask& hidden = {}) { return Json::parse(op_json(op, hidden)); }

// What BuildKit prints of: FROM base, RUN echo $X > /a, COPY a /.
TEST(OpJson, IsWhatBuildKitPrints) {
  const Platform amd64 = Platform::parse("linux/amd64");
  EXPECT_EQ(json_of({.what = SourceOp{.identifier = "docker-image://x.test/base:1"}, .platform = amd64}),
            Json::parse(R"({"Op":{"source":{"identifier":"docker-image://x.test/base:1"}},
                            "platform":{"Architecture":"amd64","OS":"linux"}})"));
  EXPECT_EQ(
      json_of({.inputs = {{Digest::of("base")}},
               .what = ExecOp{.args = {"/bin/sh", "-c", "echo $X > /a"},
                              .env = {"X=2"},
                              .mounts = {{.input = 0, .dest = "/", .output = 0}},
                              .remove_mount_stubs = true}}),
      Json::parse(R"({"Op":{"exec":{"meta":{"args":["/bin/sh","-c","echo $X > /a"],"env":["X=2"],"cwd":"/",
                            "removeMountStubsRecursive":true},"mounts":[{"dest":"/"}]}}})"));
  EXPECT_EQ(
      json_of({.inputs = {{Digest::of("run")}, {Digest::of("context")}},
               .what = FileOp{{CopyAction{
                   .base = 0, .from = 1, .src = "/a", .dest = "/", .allow_empty_wildcard = true}}}}),
      Json::parse(R"({"Op":{"file":{"actions":[{"input":0,"secondaryInput":1,"output":0,"Action":{"copy":{
                            "src":"/a","dest":"/","mode":-1,"followSymlink":true,"dirCopyContents":true,
                            "createDestPath":true,"allowWildcard":true,"allowEmptyWildcard":true,
                            "timestamp":-1}}}]}}})"));
}

TEST(OpJson, HoldsNoPasswordProxyOrSecret) {
  SecretMask hidden;
  hidden.add(Secret("s3cr3t"));
  const std::string source =
      op_json({.what = SourceOp{.identifier = "git://h/x",
                                .attrs = {{kAttrGitFullUrl, "https://user:word@h/x.git"}}}},
              hidden);
  EXPECT_THAT(source, testing::Not(testing::HasSubstr("word")));
  const std::string exec = op_json(
      {.what = ExecOp{.args = {"echo s3cr3t"}, .proxy = ProxyEnv{.http_proxy = "http://user:word@proxy"}}},
      hidden);
  EXPECT_THAT(exec, testing::Not(testing::HasSubstr("s3cr3t")));
  EXPECT_THAT(exec, testing::Not(testing::HasSubstr("proxy")));
  const Json file = json_of({.what = FileOp{{MkfileAction{.path = "/f", .data = "x s3cr3t"}}}}, hidden);
  EXPECT_EQ(file["Op"]["file"]["actions"][0]["Action"]["mkfile"]["data"], base64_encode("x ***"));
}

TEST(OpJson, MountsSayWhatTheyAre) {
  const Json mounts = json_of(
      {.what = ExecOp{
           .mounts = {
               {.type = MountType::Secret,
                .dest = "/run/secrets/id",
                .secret = SecretMount{.id = "id", .optional = false}},
               {.type = MountType::Cache,
                .dest = "/c",
                .cache = CacheMount{.id = "c", .sharing = CacheSharing::Locked}}}}})["Op"]["exec"]["mounts"];
  EXPECT_EQ(mounts[0]["mountType"], 1);
  EXPECT_EQ(mounts[0]["secretOpt"], Json({{"ID", "id"}, {"mode", 0400}}));
  EXPECT_EQ(mounts[0]["input"], -1);
  EXPECT_EQ(mounts[1]["cacheOpt"], Json({{"ID", "c"}, {"sharing", 2}}));
}

}  // namespace
}  // namespace slipway
