#include "nodes/local_contexts.h"

#include <gmock/gmock.h>

#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "nodes/file_actions.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LocalContextsTest : public testing::Test {
 protected:
  LocalContextsTest() {
    write("a", "text");
    write("b", "text");
    contexts_.add("context", dir_.path(), {"*.log"});
  }
  void write(const std::string& name, const std::string& text) {
    write_file_atomic(dir_.path() / name, text);
  }
  static CopyAction copy_of(const std::string& src) {
    return {.base = 0, .from = 1, .src = src, .dest = "/"};
  }
  Digest digest(const std::string& src) { return contexts_.digest("context", copy_of(src), vertex_, {}); }
  /// Copies it, between two looks at it.
  void check(
      const std::string& src, const std::function<void()>& meanwhile = [] {}) {
    const CopyAction copy = copy_of(src);
    const CopyPatterns patterns(copy);
    const TempDir to;
    const RootedDir target(to.path());
    CopyRecord record;
    copy_selection(patterns.select_in(contexts_.at("context").tree, nullptr), target, {.dest = "/"}, {},
                   [&](const TakenEntry& taken) { record.add(taken); });
    meanwhile();
    contexts_.check_copied("context", copy, vertex_, record, target, {});
  }

  TempDir dir_;
  LocalContexts contexts_{nullptr};
  Vertex vertex_{
      .digest = Digest::of("vertex"),
      .op = {},
      .info = {.name = "COPY",
               .location = SourceLocation{.file = "Dockerfile", .line = 3, .line_text = "COPY a /"}},
      .lanes = {}};
};

TEST_F(LocalContextsTest, DigestIsOfWhatIsSelected) {
  const Digest before = digest("/a");
  write("b", "changed");
  EXPECT_EQ(digest("/a"), before);
  write("a", "changed");
  EXPECT_NE(digest("/a"), before);
}

TEST_F(LocalContextsTest, IgnoredFilesDoNotCount) {
  const Digest before = digest("/");
  write("noise.log", "text");
  EXPECT_EQ(digest("/"), before);
}

TEST_F(LocalContextsTest, MissingFileHasTheNearestPathThatIsNotIgnoredForAHint) {
  const auto hint_for = [&](const std::string& src) -> std::string {
    try {
      digest(src);
    } catch (const InvalidInput& error) {
      return error.hint();
    }
    return "found";
  };
  fs::create_directories(dir_.path() / "src/module");
  write("src/module/Main.cc", "text");
  write("server.log", "text");
  fs::create_symlink("..", dir_.path() / "out");
  EXPECT_EQ(hint_for("/src/modul/main.cc"), "did you mean /src/module/Main.cc?");
  EXPECT_EQ(hint_for("/A"), "did you mean /a?");
  EXPECT_EQ(hint_for("/serwer.log"), "") << "an ignored file";
  EXPECT_EQ(hint_for("/c"), "") << "one letter is another name";
  EXPECT_EQ(hint_for("/out/../serv?"), "") << "a pattern";
  EXPECT_EQ(hint_for("/a/b"), "") << "below a file";
}

TEST_F(LocalContextsTest, MissingFileIsInvalidInputAtTheInstructionAndNamesTheContext) {
  try {
    digest("/none");
    FAIL() << "should have thrown";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("none"));
    EXPECT_THAT(error.what(), HasSubstr(dir_.path().native()));
    ASSERT_TRUE(error.location());
    EXPECT_EQ(error.location()->line, 3);
  }
}

TEST_F(LocalContextsTest, UnchangedSelectionsPass) {
  digest("/a");
  digest("/b");
  write("a", "text");  // written anew with the same bytes
  EXPECT_NO_THROW(check("/a"));
  EXPECT_NO_THROW(check("/b"));
}

TEST_F(LocalContextsTest, ListsAreForgottenAndChangesAreFoundAllTheSame) {
  const Digest before = digest("/a");
  EXPECT_TRUE(contexts_.listed("context", copy_of("/a"), vertex_));
  contexts_.forget_lists(vertex_);
  EXPECT_FALSE(contexts_.listed("context", copy_of("/a"), vertex_));
  EXPECT_EQ(contexts_.seen("context", copy_of("/a"), vertex_, {}), before);
  check("/a");
  write("a", "changed");
  EXPECT_THROW(check("/a"), InvalidInput);
}

TEST_F(LocalContextsTest, ChangedSelectionIsInvalidInputAtTheInstruction) {
  digest("/a");
  digest("/b");
  write("b", "changed");
  EXPECT_NO_THROW(check("/a"));
  try {
    check("/b");
    FAIL() << "should have thrown";
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("changed"));
    EXPECT_FALSE(error.hint().empty());
    EXPECT_TRUE(error.location());
  }
}

TEST_F(LocalContextsTest, ChangeThatIsUndoneAfterTheCopyIsInvalidInputToo) {
  digest("/a");
  write("a", "changed");
  EXPECT_THROW(check("/a", [&] { write("a", "text"); }), InvalidInput);
}

TEST_F(LocalContextsTest, ModeIsPartOfTheContent) {
  digest("/a");
  fs::permissions(dir_.path() / "a", fs::perms::owner_all);
  EXPECT_THROW(check("/a"), InvalidInput);
}

TEST_F(LocalContextsTest, UnknownContextIsNotFound) { EXPECT_THROW(contexts_.at("other"), NotFound); }

TEST_F(LocalContextsTest, DirectoryThatIsNotThereIsASystemError) {
  EXPECT_THROW(contexts_.add("other", dir_.path() / "none", {}), SystemError);
}

}  // namespace
}  // namespace slipway
