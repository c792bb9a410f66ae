#include "accel/accelerated_root_json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

AcceleratedRoot example() {
  Twin twin{.target = "/usr/bin/sed",
            .identity = {.inode = ~std::uint64_t{0},
                         .size = 7,
                         .mtime_ns = -5,
                         .ctime_ns = 1'700'000'000'000'000'001},
            .package = "sed",
            .version = "4.9-1",
            .source = "debian:12 (linux/amd64)",
            .tree = 0,
            .program = "/usr/bin/sed",
            .loader = "/usr/lib64/ld.so",
            .library_path = {"/usr/lib"},
            .declined_names = {"uname"},
            .multi_call = "busybox",
            .rules = {{.kind = ArgumentRule::Kind::Replace, .pattern = "-x*", .with = {"-y", "z"}},
                      {.kind = ArgumentRule::Kind::Require, .pattern = "-c", .with = {}},
                      {.kind = ArgumentRule::Kind::Decline, .pattern = "*", .with = {}}},
            .guards = {1, 0}};
  const Guard library{.path = "/lib/libc.so.6",
                      .identity = FileIdentity{.inode = 3, .size = 9, .mtime_ns = 1, .ctime_ns = -2},
                      .library = "libc.so.6"};
  return {.twins = {twin},
          .guards = {library, {.path = "/lib/other", .identity = {}, .library = {}}},
          .loader_cache = Guard{.path = "/etc/ld.so.cache", .identity = {}, .library = {}},
          .trees = {"/a tree"},
          .machine = "aarch64",
          .declined = {"x: \"y\""}};
}

TEST(AcceleratedRootJson, ReadsWhatItWrote) {
  const AcceleratedRoot root = example(), back = decode_accelerated_root(encode(root));
  ASSERT_EQ(back.twins.size(), 1u);
  EXPECT_EQ(back.twins[0].identity, root.twins[0].identity);
  EXPECT_EQ(back.twins[0].rules, root.twins[0].rules);
  EXPECT_EQ(back.twins[0].guards, root.twins[0].guards);
  EXPECT_EQ(back.guards, root.guards);
  EXPECT_EQ(back.loader_cache, root.loader_cache);
  EXPECT_EQ(back.trees, root.trees);
  EXPECT_EQ(back.machine, "aarch64");
  EXPECT_EQ(encode(back), encode(root));
}

class DamagedJson : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(DamagedJson, IsRefused) {
  std::string text = encode(example());
  const auto at = text.find(GetParam().first);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string(GetParam().first).size(), GetParam().second);
  EXPECT_THROW(decode_accelerated_root(text), InvalidInput) << text;
}

INSTANTIATE_TEST_SUITE_P(
    Ways, DamagedJson,
    testing::Values(std::pair{"{", ""}, std::pair{"\"schemaVersion\":2", "\"schemaVersion\":1"},
                    std::pair{"[1,0]", "[2,0]"}, std::pair{"[1,0]", "[-1]"},
                    std::pair{"\"tree\":0", "\"tree\":1"}, std::pair{"\"tree\":0", "\"tree\":-1"},
                    std::pair{"\"size\":7", "\"size\":\"7\""}, std::pair{"\"size\":7", "\"size\":7.5"},
                    std::pair{"\"size\":7", "\"sise\":7"}, std::pair{"\"size\":7", "\"more\":1,\"size\":7"},
                    std::pair{"\"decline\"", "\"never\""}, std::pair{"/usr/bin/sed", "/usr/../sed"},
                    std::pair{"[\"uname\"]", "[1]"}));

TEST(AcceleratedRootJson, RefusesTwoTwinsOfOneInode) {
  AcceleratedRoot root = example();
  root.twins.push_back(root.twins[0]);
  EXPECT_THROW(decode_accelerated_root(encode(root)), InvalidInput);
}

}  // namespace
}  // namespace slipway
