#include "base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway {
namespace {

using testing::ElementsAre;

TEST(Strings, CsvFieldsMayBeQuoted) {
  EXPECT_THAT(split_csv(R"(type=image,"name=a,b",push=true)"),
              ElementsAre("type=image", "name=a,b", "push=true"));
  EXPECT_THAT(split_csv(R"(name="a,b")"), ElementsAre("name=a,b"));
  EXPECT_THAT(split_csv(R"("say ""hi""")"), ElementsAre("say \"hi\""));
  EXPECT_THROW(split_csv("a=\"b"), UsageError);
}

TEST(Strings, ClosestMatchFindsTypingErrorsOnly) {
  const std::vector<std::string> words = {"RUN", "COPY", "ENTRYPOINT"};
  EXPECT_EQ(closest_match("RNU", words), "RUN");
  EXPECT_EQ(closest_match("entrypiont", words), "ENTRYPOINT");
  EXPECT_EQ(closest_match("FLY", words), std::nullopt);
  EXPECT_EQ(closest_match(std::string(1000, 'x'), words), std::nullopt);
}

TEST(Strings, Base64BothWays) {
  for (const std::string text : {"", "a", "ab", "abc", "user:pass\xff"}) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  }
  EXPECT_EQ(base64_encode("user:pass"), "dXNlcjpwYXNz");
}

TEST(Strings, SizesAndTimesAreForPeople) {
  EXPECT_EQ(human_bytes(999), "999B");
  EXPECT_EQ(human_bytes(1234), "1.2kB");
  EXPECT_EQ(human_bytes(123'456'789), "123MB");
  EXPECT_EQ(human_seconds(0.44), "0.4s");
  EXPECT_EQ(human_seconds(125), "2m05s");
}

TEST(Strings, NumbersAreWholeOrNothing) {
  EXPECT_EQ(parse_unsigned("17"), 17U);
  for (const char* bad : {"", "-1", "1x", " 1", "99999999999999999999"})
    EXPECT_EQ(parse_unsigned(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace slipway
