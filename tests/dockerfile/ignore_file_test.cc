#include "dockerfile/ignore_file.h"

#include <gtest/gtest.h>

namespace slipway::dockerfile {
namespace {

using Patterns = std::vector<std::string>;

TEST(IgnoreFile, KeepsTheOrderAndCleans) {
  EXPECT_EQ(read_ignore_file("a/\n./b//c\n/d\n**/e/../f\n"), (Patterns{"a", "b/c", "d", "**/f"}));
}
TEST(IgnoreFile, DropsCommentsAtColumnZeroOnly) {
  EXPECT_EQ(read_ignore_file("# one\n # two\n\n   \nx\n"), (Patterns{"# two", "x"}));
}
TEST(IgnoreFile, KeepsNegation) { EXPECT_EQ(read_ignore_file("*\n! keep/\n!/top\n"), (Patterns{"*", "!keep", "!top"})); }
TEST(IgnoreFile, TakesByteOrderMarkAndCrLf) {
  EXPECT_EQ(read_ignore_file("\xEF\xBB\xBF# note\r\n a \r\nb\r\n"), (Patterns{"a", "b"}));
}
TEST(IgnoreFile, EmptyFileHasNoPatterns) { EXPECT_TRUE(read_ignore_file("").empty()); }
TEST(IgnoreFile, RootAndDotStay) { EXPECT_EQ(read_ignore_file("/\n.\n..\n"), (Patterns{"/", ".", ".."})); }

}  // namespace
}  // namespace slipway::dockerfile
