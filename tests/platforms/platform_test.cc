#include "platforms/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

struct NormaliseCase {
  const char* name;
  const char* input;
  const char* expected;
};
class PlatformNormalise : public testing::TestWithParam<NormaliseCase> {};
TEST_P(PlatformNormalise, MatchesOciSpelling) {
  EXPECT_EQ(Platform::parse(GetParam().input).str(), GetParam().expected);
}
TEST_P(PlatformNormalise, PrintedFormParsesToItself) {
  const Platform platform = Platform::parse(GetParam().input);
  EXPECT_EQ(Platform::parse(platform.str()), platform);
}
INSTANTIATE_TEST_SUITE_P(Aliases, PlatformNormalise,
                         testing::Values(NormaliseCase{"aarch64_is_arm64", "linux/aarch64", "linux/arm64"},
                                         NormaliseCase{"armhf_is_arm_v7", "linux/armhf", "linux/arm/v7"},
                                         NormaliseCase{"arm_is_arm_v7", "linux/arm", "linux/arm/v7"},
                                         NormaliseCase{"arm64_v8_is_arm64", "linux/arm64/v8", "linux/arm64"},
                                         NormaliseCase{"amd64_v1_is_amd64", "linux/amd64/v1", "linux/amd64"},
                                         NormaliseCase{"amd64_v3_stays", "linux/amd64/v3", "linux/amd64/v3"},
                                         NormaliseCase{"arm_6_is_v6", "linux/arm/6", "linux/arm/v6"},
                                         NormaliseCase{"x86_64_alone", "x86_64", "linux/amd64"},
                                         NormaliseCase{"i386_is_386", "linux/i386", "linux/386"},
                                         NormaliseCase{"upper_case", "Linux/ARM64", "linux/arm64"}),
                         [](const auto& row) { return row.param.name; });

struct BadCase {
  const char* name;
  const char* input;
  const char* says;
};
class PlatformBad : public testing::TestWithParam<BadCase> {};
TEST_P(PlatformBad, IsRefusedWithTheReason) {
  try {
    Platform::parse(GetParam().input);
    FAIL() << "should have thrown";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr(GetParam().says));
  }
}
INSTANTIATE_TEST_SUITE_P(Refused, PlatformBad,
                         testing::Values(BadCase{"empty", "", "expected os/architecture"},
                                         BadCase{"empty_part", "linux/", "expected os/architecture"},
                                         BadCase{"four_parts", "linux/arm/v7/x", "more than three"},
                                         BadCase{"misspelt", "linux/amd46", "did you mean \"amd64\"?"},
                                         BadCase{"unknown_os", "beos/amd64", "unknown operating system"},
                                         BadCase{"space", "linux/arm 64", "expected os/architecture"}),
                         [](const auto& row) { return row.param.name; });

TEST(PlatformList, KeepsOrderAndDropsRepetitions) {
  EXPECT_THAT(parse_platform_list("linux/arm64, linux/amd64,linux/aarch64"),
              testing::ElementsAre(Platform::parse("linux/arm64"), Platform::parse("linux/amd64")));
  EXPECT_THROW(parse_platform_list("linux/amd64,,"), UsageError);
}

struct MatchCase {
  const char* name;
  const char* wanted;
  const char* offered;
  std::optional<int> rank;
};
class PlatformMatch : public testing::TestWithParam<MatchCase> {};
TEST_P(PlatformMatch, RanksAsContainerdDoes) {
  EXPECT_EQ(match_rank(Platform::parse(GetParam().wanted), Platform::parse(GetParam().offered)),
            GetParam().rank);
}
INSTANTIATE_TEST_SUITE_P(
    Pairs, PlatformMatch,
    testing::Values(MatchCase{"exact", "linux/arm64", "linux/arm64", 0},
                    MatchCase{"v7_takes_v6", "linux/arm/v7", "linux/arm/v6", 1},
                    MatchCase{"v6_takes_no_v7", "linux/arm/v6", "linux/arm/v7", std::nullopt},
                    MatchCase{"amd64_v3_takes_v1", "linux/amd64/v3", "linux/amd64", 2},
                    MatchCase{"amd64_takes_no_v3", "linux/amd64", "linux/amd64/v3", std::nullopt},
                    MatchCase{"other_architecture", "linux/arm64", "linux/amd64", std::nullopt},
                    MatchCase{"other_system", "linux/amd64", "windows/amd64", std::nullopt}),
    [](const auto& row) { return row.param.name; });

TEST(Platform, NativeMeansTheKernelRunsIt) {
  const Platform amd64 = Platform::parse("linux/amd64");
  EXPECT_TRUE(runs_natively(amd64, amd64));
  EXPECT_TRUE(runs_natively(amd64, Platform::parse("linux/386")));
  EXPECT_FALSE(runs_natively(amd64, Platform::parse("linux/arm64")));
  EXPECT_FALSE(runs_natively(amd64, Platform::parse("windows/amd64")));
}

TEST(Platform, DebianAndQemuHaveTheirOwnNames) {
  EXPECT_EQ(debian_architecture(Platform::parse("linux/arm/v7")), "armhf");
  EXPECT_EQ(debian_architecture(Platform::parse("linux/386")), "i386");
  EXPECT_EQ(debian_architecture(Platform::parse("linux/ppc64le")), "ppc64el");
  EXPECT_EQ(debian_architecture(Platform::parse("linux/loong64")), std::nullopt);
  EXPECT_EQ(qemu_architecture(Platform::parse("linux/arm64")), "aarch64");
}

}  // namespace
}  // namespace slipway
