#include "dockerfile/paths.h"

#include <gtest/gtest.h>

namespace slipway::dockerfile {
namespace {

TEST(Paths, CleanIsLexical) {
  EXPECT_EQ(clean_path(""), ".");
  EXPECT_EQ(clean_path("a/./b//../c/"), "a/c");
  EXPECT_EQ(clean_path("../../a"), "../../a");
  EXPECT_EQ(clean_path("/../../a"), "/a");
  EXPECT_EQ(clean_path("../a/../.."), "../..");
  EXPECT_EQ(clean_path("a/.."), ".");
  EXPECT_EQ(clean_path("/a/.."), "/");
  EXPECT_EQ(clean_path("//a//..//b/"), "/b");
  EXPECT_EQ(clean_path("/"), "/");
}
TEST(Paths, AbsoluteCannotLeaveTheRoot) {
  EXPECT_EQ(clean_absolute("../../etc"), "/etc");
  EXPECT_EQ(clean_absolute("."), "/");
  EXPECT_EQ(resolve_path("/app", "../../../x"), "/x");
  EXPECT_EQ(resolve_path("/app", "src/"), "/app/src");
  EXPECT_EQ(resolve_path("/app", "/y/."), "/y");
}
TEST(Paths, BaseName) {
  EXPECT_EQ(base_name("a/b/"), "b");
  EXPECT_EQ(base_name("b"), "b");
  EXPECT_EQ(base_name("/"), "/");
  EXPECT_EQ(base_name(""), ".");
}

}  // namespace
}  // namespace slipway::dockerfile
