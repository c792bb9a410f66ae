#include "runtime/users.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Users : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(root_.path() / "etc");
    write("etc/passwd",
          "root:x:0:0:root:/root:/bin/sh\n# comment\njunk\n:::\n+::::::\nbad:x:notanumber:1::/:\n"
          "app:x:1000:2000:App,,,:/home/app:/bin/sh\nnohome:x:1001:1001\n777:x:5:6::/five:\n");
    write("etc/group", "root:x:0:root\nwheel:x:10:root,app\nvideo:x:44:app\njunk\nstaff:x:50:\n");
  }
  void write(const std::string& path, std::string_view text) { write_file_atomic(root_.path() / path, text); }
  ResolvedUser user(std::string_view text) { return resolve_user(RootedDir(root_.path()), text); }
  ResolvedUser owner(std::string_view u, std::string_view g = "") {
    return resolve_owner(RootedDir(root_.path()), u, g);
  }
  TempDir root_;
};

TEST_F(Users, EmptyIsRootWithItsGroups) {
  const ResolvedUser root = user("");
  EXPECT_EQ(root.uid, 0u);
  EXPECT_EQ(root.home, "/root");
  EXPECT_THAT(root.groups, ElementsAre(0, 10));
}
TEST_F(Users, NameBringsGroupHomeAndSupplementaryGroups) {
  const ResolvedUser app = user("app");
  EXPECT_EQ(app.uid, 1000u);
  EXPECT_EQ(app.gid, 2000u);
  EXPECT_EQ(app.home, "/home/app");
  EXPECT_THAT(app.groups, ElementsAre(2000, 10, 44));
}
TEST_F(Users, NumberOfAKnownUserIsThatUser) { EXPECT_EQ(user("1000").gid, 2000u); }
TEST_F(Users, UnknownNumberHasGroupZero) {
  const ResolvedUser stranger = user("4242");
  EXPECT_EQ(stranger.uid, 4242u);
  EXPECT_EQ(stranger.gid, 0u);
  EXPECT_EQ(stranger.home, "/");
}
TEST_F(Users, GivenGroupReplacesAllOthers) {
  EXPECT_EQ(user("app:staff").gid, 50u);
  EXPECT_THAT(user("app:staff").groups, ElementsAre(50));
  EXPECT_EQ(user("4242:4343").gid, 4343u);
}
TEST_F(Users, NumericNameInTheFileWins) { EXPECT_EQ(user("777").uid, 5u); }
TEST_F(Users, ShortLineIsStillAnEntry) { EXPECT_EQ(user("nohome").home, "/"); }
TEST_F(Users, UnknownNameIsRefusedWithTheFile) {
  try {
    user("nobodyhere");
    FAIL() << "expected InvalidInput";
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.message(), HasSubstr("\"nobodyhere\""));
    EXPECT_THAT(e.message(), HasSubstr("/etc/passwd"));
  }
}
TEST_F(Users, UnknownGroupIsRefused) { EXPECT_THROW(user("app:nogroup"), InvalidInput); }
TEST_F(Users, NumberOutOfRangeIsRefused) {
  EXPECT_THROW(user("4294967295"), InvalidInput);
  EXPECT_THROW(user("-1"), InvalidInput);
}
TEST_F(Users, LineOfAUserWithBadNumberDoesNotCount) { EXPECT_THROW(user("bad"), InvalidInput); }
TEST_F(Users, NoFilesStillKnowNumbersAndRoot) {
  fs::remove_all(root_.path() / "etc");
  EXPECT_EQ(user("").uid, 0u);
  EXPECT_EQ(user("12:34").gid, 34u);
  EXPECT_THROW(user("app"), InvalidInput);
}
TEST_F(Users, LinkOutOfTheRootIsNotFollowed) {
  fs::remove(root_.path() / "etc/passwd");
  fs::create_symlink("/../../../../etc/passwd", root_.path() / "etc/passwd");
  EXPECT_THROW(user("daemon"), std::exception);
}
TEST_F(Users, FifoInsteadOfTheFileDoesNotBlock) {
  fs::remove(root_.path() / "etc/passwd");
  ASSERT_EQ(::mkfifo((root_.path() / "etc/passwd").c_str(), 0644), 0);
  EXPECT_EQ(user("7").uid, 7u);
}
TEST_F(Users, HugeFileIsRefused) {
  write("etc/passwd", std::string(11u << 20, 'x'));
  EXPECT_THROW(user("app"), InvalidInput);
}

TEST_F(Users, OwnerByNameTakesItsGroup) { EXPECT_EQ(owner("app").gid, 2000u); }
TEST_F(Users, OwnerByNumberTakesTheSameGroupNumber) { EXPECT_EQ(owner("1000").gid, 1000u); }
TEST_F(Users, OwnerWithGroupName) {
  EXPECT_EQ(owner("0", "video").gid, 44u);
  EXPECT_EQ(owner("app", "7").gid, 7u);
}
TEST_F(Users, OwnerUnknownIsRefused) {
  EXPECT_THROW(owner("who"), InvalidInput);
  EXPECT_THROW(owner("0", "who"), InvalidInput);
}

TEST_F(Users, NearMissIsNamed) {
  try {
    owner("ap");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_EQ(error.hint(), "did you mean \"app\"?");
  }
}

}  // namespace
}  // namespace slipway
