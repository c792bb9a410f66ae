#include "registry/challenge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ParseChallenges, BearerWithCommasInQuotes) {
  const auto found = parse_challenges(
      R"(Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push")");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].scheme, "bearer");
  EXPECT_THAT(found[0].params,
              UnorderedElementsAre(Pair("realm", "https://auth.example/token"), Pair("service", "reg"),
                                   Pair("scope", "repository:a/b:pull,push")));
}

TEST(ParseChallenges, SeveralInOneHeader) {
  const auto found = parse_challenges(R"(Basic realm="x", Bearer realm=y , service = "z\"q")");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].scheme, "basic");
  EXPECT_EQ(found[1].params.at("realm"), "y");
  EXPECT_EQ(found[1].params.at("service"), "z\"q");
}

TEST(ParseChallenges, GarbageIsLeftOut) {
  EXPECT_THAT(parse_challenges(""), IsEmpty());
  EXPECT_THAT(parse_challenges("=\"\",,,=="), IsEmpty());
  EXPECT_THAT(parse_challenges("realm=x"), IsEmpty());
  EXPECT_EQ(parse_challenges("Basic realm=\"open").at(0).params.at("realm"), "open");
  parse_challenges(std::string(1'000'000, '"'));
}

}  // namespace
}  // namespace slipway
