#include "qemu/emulation_policy.h"

#include "base/error.h"

namespace slipway {
namespace {

const Platform kArm64 = Platform::parse("linux/arm64");
const Platform kS390x = Platform::parse("linux/s390x");

TEST(EmulationPolicies, AreAutoUnlessSaid) {
  EXPECT_EQ(EmulationPolicies::parse({}).of(kArm64), EmulationPolicy::Auto);
}

TEST(EmulationPolicies, PlainValueIsForAllPlatforms) {
  EXPECT_EQ(EmulationPolicies::parse({"never"}).of(kArm64), EmulationPolicy::Never);
}

TEST(EmulationPolicies, PlatformsOwnValueWinsWhereverItStands) {
  const auto policies = EmulationPolicies::parse({"linux/arm64=qemu,never"});
  EXPECT_EQ(policies.of(kArm64), EmulationPolicy::Qemu);
  EXPECT_EQ(policies.of(kS390x), EmulationPolicy::Never);
}

TEST(EmulationPolicies, LaterValueWins) {
  const auto policies = EmulationPolicies::parse({"linux/arm64=qemu", "aarch64=auto"});
  EXPECT_EQ(policies.of(kArm64), EmulationPolicy::Auto);
}

TEST(EmulationPolicies, UnknownWordsAreRefusedWithANearOne) {
  try {
    EmulationPolicies::parse({"linux/arm64=nevr"});
    FAIL() << "expected UsageError";
  } catch (const UsageError& e) {
    EXPECT_EQ(e.message(),
              "--emulation=linux/arm64=nevr: expected auto, accelerated, qemu, verify or never, or "
              "PLATFORM=POLICY");
    EXPECT_EQ(e.hint(), "did you mean \"never\"?");
  }
  EXPECT_THROW(EmulationPolicies::parse({""}), UsageError);
  EXPECT_THROW(EmulationPolicies::parse({"linux/nothing=qemu"}), UsageError);
}

}  // namespace
}  // namespace slipway
