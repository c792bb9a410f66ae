#include "dockerfile/go_format.h"

#include <gtest/gtest.h>

namespace slipway::testing {
namespace {

using dockerfile::go_duration;
using dockerfile::go_list;
using dockerfile::go_quoted;
using dockerfile::go_quoted_list;

TEST(GoFormat, Quotes) {
  EXPECT_EQ(go_quoted("a \"b\" \\ \n\t\a\x01\x7f"), R"("a \"b\" \\ \n\t\a\x01\x7f")");
  EXPECT_EQ(go_quoted("é日\U0001F600"), "\"é日\U0001F600\"");
  EXPECT_EQ(go_quoted("\u00a0\u200b\ufeff\U000E0001"), R"("\u00a0\u200b\ufeff\U000e0001")");
  EXPECT_EQ(go_quoted("\xff\xc3(\xed\xa0\x80\xc0\x80"), R"("\xff\xc3(\xed\xa0\x80\xc0\x80")");
  EXPECT_EQ(go_quoted(std::string_view("\0", 1)), R"("\x00")");
}

TEST(GoFormat, Lists) {
  EXPECT_EQ(go_quoted_list({"a", "b c"}), R"(["a" "b c"])");
  EXPECT_EQ(go_list({"a", "b c"}), "[a b c]");
  EXPECT_EQ(go_quoted_list({}), "[]");
}

TEST(GoFormat, Durations) {
  EXPECT_EQ(go_duration(0), "0s");
  EXPECT_EQ(go_duration(1), "1ns");
  EXPECT_EQ(go_duration(1'500), "1.5µs");
  EXPECT_EQ(go_duration(250'000'000), "250ms");
  EXPECT_EQ(go_duration(1'500'000'000), "1.5s");
  EXPECT_EQ(go_duration(90'000'000'000), "1m30s");
  EXPECT_EQ(go_duration(3'600'000'000'000), "1h0m0s");
  EXPECT_EQ(go_duration(3'723'000'000'001), "1h2m3.000000001s");
}

}  // namespace
}  // namespace slipway::testing
