#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "content/mount_environment.h"
#include "content/tree.h"
#include "content/tree_support.h"

namespace slipway::testing_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SelectionTest : public testing::Test {
 protected:
  std::vector<std::string> resolve(const std::string& src, const PatternMatcher* ignored = nullptr) {
    const RootedDir root(directory_.path());
    return resolve_selection({.tree = &root, .src = src, .ignored = ignored});
  }
  std::string failure(const std::string& src, const PatternMatcher* ignored = nullptr) {
    try {
      resolve(src, ignored);
    } catch (const NotFound& e) {
      return e.what();
    }
    return "found";
  }
  TempDir directory_{test_space(), "tree"};
  TreeMaker tree_{directory_.path()};
};

TEST_F(SelectionTest, NamesOneThing) {
  tree_.file("a/b");
  EXPECT_THAT(resolve("/a/b"), ElementsAre("a/b"));
  EXPECT_THAT(resolve("./a//b/"), ElementsAre("a/b"));
}

TEST_F(SelectionTest, RootIsTheWholeTree) { EXPECT_THAT(resolve("/"), ElementsAre("")); }

TEST_F(SelectionTest, DotsStayInTheTree) {
  tree_.file("a");
  EXPECT_THAT(resolve("../../a"), ElementsAre("a"));
}

TEST_F(SelectionTest, WildcardsMatchWithinOneDirectory) {
  tree_.file("x1").file("x2").file("d/x3").file("y");
  EXPECT_THAT(resolve("/x*"), ElementsAre("x1", "x2"));
  EXPECT_THAT(resolve("/*/x?"), ElementsAre("d/x3"));
  EXPECT_THAT(resolve("/[dy]"), ElementsAre("d", "y"));
}

TEST_F(SelectionTest, EscapedWildcardIsAName) {
  tree_.file("a*b").file("axb");
  EXPECT_THAT(resolve("/a[*]b"), ElementsAre("a*b"));
}

TEST_F(SelectionTest, WildcardsBelowALinkedDirectory) {
  tree_.file("real/x1").link("linked", "real");
  EXPECT_THAT(resolve("/linked/x*"), ElementsAre("real/x1"));
}

TEST_F(SelectionTest, MissingFileIsNamed) {
  EXPECT_EQ(failure("/missing.txt"), "\"/missing.txt\": not found");
  EXPECT_EQ(failure("no/such"), "\"/no/such\": not found");
}

TEST_F(SelectionTest, WildcardWithoutMatchIsNamed) { EXPECT_EQ(failure("/x*"), "\"/x*\": nothing matches"); }

TEST_F(SelectionTest, EmptyWildcardMayBeAllowed) {
  const RootedDir root(directory_.path());
  EXPECT_TRUE(resolve_selection({.tree = &root, .src = "/x*", .allow_empty_wildcard = true}).empty());
  EXPECT_THROW(resolve_selection({.tree = &root, .src = "/x", .allow_empty_wildcard = true}), NotFound);
}

TEST_F(SelectionTest, IgnoredFileIsNamedWithItsPattern) {
  tree_.file("a.log").file("b.log");
  const PatternMatcher ignored({"*.log"});
  EXPECT_EQ(failure("/a.log", &ignored), "\"/a.log\": excluded by .dockerignore (pattern \"*.log\")");
  EXPECT_EQ(failure("/?.log", &ignored), "\"/?.log\": excluded by .dockerignore (pattern \"*.log\")");
}

TEST_F(SelectionTest, WildcardPassesOverIgnoredFiles) {
  tree_.file("a.log").file("a.txt");
  const PatternMatcher ignored({"*.log"});
  EXPECT_THAT(resolve("/a.*", &ignored), ElementsAre("a.txt"));
}

TEST_F(SelectionTest, IgnoredDirectoryCountsIfSomethingInItDoesNot) {
  tree_.file("a/keep").file("b/drop");
  const PatternMatcher ignored({"*", "!a/keep", "!b/keep"});
  EXPECT_THAT(resolve("/*", &ignored), ElementsAre("a"));
}

TEST_F(SelectionTest, LinkOutOfTheTreeStaysInIt) {
  tree_.link("out", "/etc/passwd").link("up", "../../../../etc/passwd");
  EXPECT_EQ(failure("/out"), "\"/out\": not found");
  EXPECT_EQ(failure("/up"), "\"/up\": not found");
}

TEST_F(SelectionTest, LoopOfLinksIsRefused) {
  tree_.link("a", "b").link("b", "a");
  EXPECT_THROW(resolve("/a"), InvalidInput);
}

TEST_F(SelectionTest, LinkToAnIgnoredFileIsIgnored) {
  tree_.file("secret").link("link", "secret");
  const PatternMatcher ignored({"secret"});
  EXPECT_THAT(failure("/link", &ignored), HasSubstr("excluded by .dockerignore (pattern \"secret\")"));
}

TEST_F(SelectionTest, BadWildcardIsRefused) { EXPECT_THROW(resolve("/a*["), InvalidInput); }

TEST_F(SelectionTest, WildcardDoesNotPassOverALinkThatLeadsNowhere) {
  tree_.file("a").link("away", "nowhere");
  EXPECT_EQ(failure("/a*"), "\"/away\": a link that leads nowhere");
}

class RequiredTest : public SelectionTest {
 protected:
  std::string failure_of(Selection selection) {
    const RootedDir root(directory_.path());
    selection.tree = &root;
    try {
      resolve_selection(selection);
    } catch (const NotFound& e) {
      return e.what();
    }
    return "found";
  }
};

TEST_F(RequiredTest, IsSatisfiedByAFileOrByWhatIsInADirectory) {
  tree_.file("d/sub/f").file("d/other");
  const PatternMatcher included({"sub", "other"});
  EXPECT_EQ(failure_of({.src = "/d", .included = &included, .required = {"other"}}), "found");
  EXPECT_EQ(failure_of({.src = "/d", .included = &included, .required = {"sub/", "./sub/f"}}), "found");
}

TEST_F(RequiredTest, MissingPathIsNamedInTheTree) {
  tree_.file("d/sub/f");
  const PatternMatcher included({"sub/f", "none"});
  EXPECT_EQ(failure_of({.src = "/d", .included = &included, .required = {"sub/f", "none"}}),
            "\"/d/none\": not found");
}

TEST_F(RequiredTest, DirectoryOnTheWayIsNotWhatWasRequired) {
  tree_.file("d/sub/f").file("d/sub/g");
  const PatternMatcher included({"sub/f"});
  EXPECT_NE(failure_of({.src = "/d", .included = &included, .required = {"sub/g"}}), "found");
}

TEST_F(RequiredTest, ExcludedPathIsNamedWithItsPattern) {
  tree_.file("d/f").file("d/g").file("h");
  const PatternMatcher included({"f"}), excluded({"?"}), ignored({"d/f"});
  EXPECT_EQ(failure_of({.src = "/d", .included = &included, .excluded = &excluded, .required = {"f"}}),
            "\"/d/f\": excluded by --exclude (pattern \"?\")");
  EXPECT_EQ(failure_of({.src = "/d", .ignored = &ignored, .included = &included, .required = {"f"}}),
            "\"/d/f\": excluded by .dockerignore (pattern \"d/f\")");
}

TEST_F(RequiredTest, PathThroughALinkIsNotFound) {
  tree_.file("real/f").link("link", "real");
  const PatternMatcher included({"link/f"});
  EXPECT_EQ(failure_of({.src = "/", .included = &included, .required = {"link/f"}}),
            "\"/link/f\": not found: a directory on the way to it is a link");
}

}  // namespace
}  // namespace slipway::testing_support
