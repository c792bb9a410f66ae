#include "platforms/cpu_level.h"

namespace slipway {
namespace {

const Platform kAmd64 = Platform::parse("linux/amd64");

TEST(CpuLevel, BaseIsNeverMissing) { EXPECT_FALSE(missing_cpu_level(kAmd64, kAmd64)); }

TEST(CpuLevel, OtherArchitecturesHaveNone) {
  const Platform v4 = Platform::parse("linux/amd64/v4");
  EXPECT_FALSE(missing_cpu_level(Platform::parse("linux/arm64"), v4));
  EXPECT_FALSE(missing_cpu_level(kAmd64, Platform::parse("linux/arm/v7")));
}

TEST(CpuLevel, UnknownLevelIsMissing) {
  if (Platform::host() != kAmd64) GTEST_SKIP() << "levels are asked of an amd64 CPU only";
  EXPECT_EQ(missing_cpu_level(kAmd64, Platform::parse("linux/amd64/v9")), "x86-64-v9");
}

}  // namespace
}  // namespace slipway
