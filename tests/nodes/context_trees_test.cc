#include "nodes/context_trees.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "nodes/file_actions.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class ContextTreesTest : public testing::Test {
 protected:
  ContextTreesTest() {
    fs::create_directories(dir_.path() / "from/sub");
    write("sub/a", "text");
    contexts_.add("context", dir_.path() / "from", {});
  }
  void write(const std::string& name, const std::string& text) {
    write_file_atomic(dir_.path() / "from" / name, text);
  }
  static Mount mount_of(const std::string& selector) {
    return {.input = 0, .selector = selector, .dest = "/mnt", .readonly = true};
  }
  void make_key(const std::string& selector) {
    contexts_.digest("context", selection_of_mount(mount_of(selector)), vertex_, {});
  }
  fs::path tree(const std::string& selector) {
    return trees_.tree("context", mount_of(selector), vertex_, {});
  }

  TempDir dir_;
  LocalContexts contexts_{nullptr};
  ContextTrees trees_{contexts_, dir_.path()};
  Vertex vertex_{.digest = Digest::of("vertex"), .op = {}, .info = {.name = "RUN"}, .lanes = {}};
};

TEST_F(ContextTreesTest, CopiesWhatIsMounted) {
  EXPECT_EQ(read_file(tree("/") / "sub/a"), "text");
  EXPECT_EQ(read_file(tree("/sub") / "a"), "text");
  EXPECT_EQ(read_file(tree("/sub/a")), "text");
}

// It is read again, so it must be looked for where it was put.
TEST_F(ContextTreesTest, FilesThatWereTouchedSinceTheKeyWasMadeAreStillThose) {
  for (const std::string selector : {"/", "/sub", "/sub/a"}) {
    make_key(selector);
    write("sub/a", "text");
    EXPECT_NO_THROW(tree(selector)) << selector;
  }
}

TEST_F(ContextTreesTest, FilesThatChangedSinceTheKeyWasMadeAreAnError) {
  make_key("/sub");
  write("sub/a", "other");
  EXPECT_THROW(tree("/sub"), InvalidInput);
}

}  // namespace
}  // namespace slipway
