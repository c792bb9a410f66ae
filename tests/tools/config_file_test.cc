#include "slipway/config_file.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "slipway/gc_policies.h"

namespace slipway {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_config(text, "slipway.toml");
  } catch (const UsageError& e) {
    return describe(e);
  }
  return "taken";
}

constexpr std::uint64_t kDisk = 1000;

TEST(ConfigFile, TakesWhatBuildkitdTakes) {
  const Config config = parse_config(R"([worker.oci]
  gc = true
  reservedSpace = "30GB"
  maxUsedSpace = 1000
  minFreeSpace = "20%"
  [[worker.oci.gcpolicy]]
    filters = ["type==source.local", "type==exec.cachemount"]
    keepDuration = "48h"
    maxUsedSpace = "512MB"
  [[worker.oci.gcpolicy]]
    all = true
    keepDuration = 3600
    keepBytes = 10240
)",
                                     "slipway.toml");
  ASSERT_TRUE(config.gc);
  EXPECT_EQ(config.gc->reserved, "30GB");
  EXPECT_EQ(config.gc->max_used, "1000");
  ASSERT_EQ(config.gc->policies.size(), 2u);
  EXPECT_EQ(config.gc->policies[0].keep_seconds, 48 * 3600);
  EXPECT_EQ(config.gc->policies[0].filters.size(), 2u);
  EXPECT_TRUE(config.gc->policies[1].all);
  EXPECT_EQ(config.gc->policies[1].reserved, "10240");
}

TEST(ConfigFile, TheShortSectionIsTheSame) {
  EXPECT_EQ(parse_config("[gc]\nmaxUsedSpace = \"1GB\"\n", "x").gc->max_used, "1GB");
  EXPECT_NE(refusal("[gc]\n[worker.oci]\n").find("two names of one section"), std::string::npos);
}

TEST(ConfigFile, AnEmptyFileAsksForNothing) { EXPECT_FALSE(parse_config("# nothing\n", "x").gc); }

TEST(ConfigFile, WhatIsWrongIsToldWithItsPlace) {
  EXPECT_EQ(refusal("[gc]\nmaxUsedSpce = 1\n"),
            "slipway.toml:2:1: there is no key \"maxUsedSpce\" in [gc]\n  hint: did you mean maxUsedSpace?");
  EXPECT_NE(refusal("[gc]\ngc = \"yes\"\n").find("slipway.toml:2:6: gc: expected true or false"),
            std::string::npos);
  EXPECT_NE(refusal("\n[gc]\nmaxUsedSpace = \"much\"\n").find("slipway.toml:3:16: maxUsedSpace much"),
            std::string::npos);
  EXPECT_NE(refusal("[gc]\nmaxUsedSpace = 1.5\n").find("slipway.toml:2:16: maxUsedSpace: expected a size"),
            std::string::npos);
  EXPECT_NE(refusal("[[gc.gcpolicy]]\nkeepDuration = \"soon\"\n").find("slipway.toml:2:16: keepDuration"),
            std::string::npos);
  EXPECT_NE(refusal("[[gc.gcpolicy]]\nfilters = [1]\n").find("slipway.toml:2:12: filters: expected a list"),
            std::string::npos);
  EXPECT_NE(refusal("[[gc.gcpolicy]]\nfilters = [\"tipe==x\"]\n").find("did you mean type?"),
            std::string::npos);
  EXPECT_NE(refusal("gc = 1\n").find("slipway.toml:1:6: [gc] is not a table"), std::string::npos);
  EXPECT_NE(refusal("[gc\n").find("slipway.toml:1:"), std::string::npos);
}

TEST(GcPolicies, SizesMayBePartsOfTheFileSystem) {
  GcSetting setting;
  setting.policies.push_back(
      {.filters = {}, .reserved = {}, .max_used = "50%", .min_free = {}, .max_matched = {}});
  const auto policies = gc_policies(setting, kDisk);
  ASSERT_EQ(policies.size(), 1u);
  EXPECT_EQ(policies[0].request.limits.max_used, 500u);
}

TEST(GcPolicies, WithoutPoliciesThereAreTheUsualFourAndTheLastTakesAll) {
  const auto policies =
      gc_policies({.reserved = {}, .max_used = "300", .min_free = {}, .policies = {}}, kDisk);
  ASSERT_EQ(policies.size(), 4u);
  EXPECT_TRUE(policies[0].request.limits.keep_is_firm);
  EXPECT_EQ(policies[3].request.limits.max_used, 300u);
  EXPECT_TRUE(policies[3].request.all);
  EXPECT_FALSE(policies[3].request.matches);
}

TEST(GcPolicies, OffIsNone) {
  EXPECT_TRUE(
      gc_policies({.enabled = false, .reserved = {}, .max_used = "1", .min_free = {}, .policies = {}}, kDisk)
          .empty());
}

TEST(GcPolicies, AnyFilterOfAListMatches) {
  GcSetting setting;
  setting.policies.push_back({.filters = {"type==log", "type==blob"},
                              .reserved = {},
                              .max_used = {},
                              .min_free = {},
                              .max_matched = {}});
  const auto policies = gc_policies(setting, kDisk);
  const auto matches = [&](RecordType type) {
    StoreRecord record;
    record.type = type;
    return policies[0].request.matches({}, record);
  };
  EXPECT_TRUE(matches(RecordType::Log));
  EXPECT_TRUE(matches(RecordType::Blob));
  EXPECT_FALSE(matches(RecordType::StepResult));
}

}  // namespace
}  // namespace slipway
