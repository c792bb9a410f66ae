#include "nodes/git_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "content/mount_environment.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr std::int64_t kCommitTime = 1700000000;

class GitSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!find_program("git")) GTEST_SKIP() << "git is not installed";
    make_repository("repo");
    write("repo", "a.txt", "one");
    write("repo", "run.sh", "#!/bin/sh", 0777);
    write("repo", "sub/inner/b.txt", "b");
    fs::create_symlink("a.txt", directory_.path() / "repo/link");
    first_ = commit("repo", "first");
    git("repo", {"tag", "-a", "v1", "-m", "version 1"});
    write("repo", "a.txt", "two");
    second_ = commit("repo", "second");
    git("repo", {"branch", "release/1"});
    write("repo", "a.txt", "three");
    third_ = commit("repo", "third");
  }

  std::string git(const std::string& repository, std::vector<std::string> args) {
    args.insert(args.begin(), {"git", "-C", (directory_.path() / repository).native()});
    const std::string date = concat("@", kCommitTime, " +0000");
    const ProcessResult result = run_process(
        {.argv = args,
         .environment = std::vector<std::string>{
             "PATH=/usr/bin:/bin", concat("HOME=", directory_.path().native()), "GIT_CONFIG_NOSYSTEM=1",
             "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
             "GIT_AUTHOR_DATE=" + date, "GIT_COMMITTER_DATE=" + date, "GIT_ALLOW_PROTOCOL=file"}});
    EXPECT_TRUE(result.ok()) << join(args, " ") << ": " << result.err;
    return std::string(trim(result.out));
  }
  void make_repository(const std::string& name) {
    fs::create_directories(directory_.path() / name);
    git(name, {"-c", "init.defaultBranch=main", "init", "--quiet"});
  }
  void write(const std::string& repository, const std::string& name, const std::string& text,
             unsigned mode = 0600) {
    const fs::path path = directory_.path() / repository / name;
    fs::create_directories(path.parent_path());
    write_file_atomic(path, text, Durability::None, mode);
  }
  std::string commit(const std::string& repository, const std::string& message) {
    git(repository, {"add", "-A"});
    git(repository, {"commit", "--quiet", "-m", message});
    return git(repository, {"rev-parse", "HEAD"});
  }

  GitUrl url(const std::string& rest = "", const std::string& repository = "repo") const {
    return parse_git_context(concat("file://", (directory_.path() / repository).native(), rest)).value();
  }
  GitVersion resolve(const GitUrl& url) { return source_.resolve(url, {}); }
  /// The tree as a directory.
  fs::path checkout(const GitUrl& url) {
    return store_->snapshots().diff_directory(source_.checkout(url, resolve(url), {}, {}));
  }
  static std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    return names;
  }
  template <class E, class F>
  static std::string error_of(F action) {
    try {
      action();
    } catch (const E& error) {
      return describe(error);
    } catch (const std::exception& other) {
      ADD_FAILURE() << "another error: " << other.what();
      return {};
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  TempDir directory_{testing_support::test_space(), "git"};
  NullLogger logger_;
  std::unique_ptr<Store> store_ = Store::open(directory_.path() / "store", logger_);
  GitSource source_{*store_, {}};
  std::string first_, second_, third_;
};

TEST_F(GitSourceTest, RefsAreResolvedAsBuildKitDoes) {
  EXPECT_EQ(resolve(url()).commit, third_);
  EXPECT_EQ(resolve(url()).ref, "refs/heads/main");
  EXPECT_EQ(resolve(url("#main")).commit, third_);
  EXPECT_EQ(resolve(url("#release/1")).commit, second_);
  EXPECT_EQ(resolve(url("#refs/heads/release/1")).commit, second_);
  EXPECT_EQ(resolve(url("?branch=release/1")).commit, second_);
  EXPECT_EQ(resolve(url("#v1")).commit, first_);
  EXPECT_FALSE(resolve(url("#v1")).tag.empty());
  EXPECT_EQ(resolve(url("?tag=v1")).ref, "refs/tags/v1");
}

TEST_F(GitSourceTest, WholeCommitIsNotAskedFor) {
  fs::remove_all(directory_.path() / "repo");
  EXPECT_EQ(resolve(url("#" + second_)).commit, second_);
}

TEST_F(GitSourceTest, BranchWinsOverTagOfTheSameName) {
  git("repo", {"tag", "both", first_});
  git("repo", {"branch", "both", second_});
  EXPECT_EQ(resolve(url("#both")).commit, second_);
}

TEST_F(GitSourceTest, MissingRefNamesTheNearOne) {
  EXPECT_THAT(error_of<InvalidInput>([&] { resolve(url("#mian")); }), HasSubstr("did you mean main?"));
  EXPECT_THAT(error_of<InvalidInput>([&] { resolve(url("#relase/1")); }),
              HasSubstr("did you mean release/1?"));
  EXPECT_THAT(error_of<InvalidInput>([&] { resolve(url("#" + first_.substr(0, 12))); }),
              HasSubstr("whole id"));
}

TEST_F(GitSourceTest, MissingRepositoryIsSaidInOneSentence) {
  const std::string error = error_of<NotFound>([&] { resolve(url("", "nothing")); });
  EXPECT_THAT(error, HasSubstr("there is no such repository"));
  EXPECT_THAT(error, HasSubstr("check the URL"));
}

TEST_F(GitSourceTest, EmptyRepositoryIsAnError) {
  make_repository("empty");
  EXPECT_THAT(error_of<InvalidInput>([&] { resolve(url("", "empty")); }), HasSubstr("empty"));
}

TEST_F(GitSourceTest, ChecksumMustMatchCommitOrTag) {
  EXPECT_EQ(resolve(url("?ref=main&checksum=" + third_.substr(0, 8))).commit, third_);
  const std::string tag = git("repo", {"rev-parse", "v1"});
  EXPECT_EQ(resolve(url("?tag=v1&checksum=" + tag)).commit, first_);
  EXPECT_EQ(resolve(url("?tag=v1&checksum=" + first_)).commit, first_);
  EXPECT_THAT(error_of<IntegrityError>([&] { resolve(url("?ref=main&checksum=" + first_)); }),
              HasSubstr(concat("is commit ", third_)));
}

TEST_F(GitSourceTest, TreeIsTheCommitsAlone) {
  const fs::path tree = checkout(url());
  EXPECT_THAT(names_in(tree), UnorderedElementsAre("a.txt", "run.sh", "sub", "link"));
  EXPECT_EQ(read_file(tree / "a.txt"), "three");
  EXPECT_EQ(fs::read_symlink(tree / "link"), "a.txt");
  for (const auto& [name, mode] : {std::pair{"a.txt", 0644u}, {"run.sh", 0755u}, {"sub", 0755u}}) {
    struct stat status {};
    ASSERT_EQ(::lstat((tree / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, mode) << name;
    EXPECT_EQ(status.st_uid, ::geteuid());
    EXPECT_EQ(status.st_mtime, kCommitTime) << name;
  }
}

TEST_F(GitSourceTest, OldCommitsAndTagsAreFoundToo) {
  EXPECT_EQ(read_file(checkout(url("#" + second_)) / "a.txt"), "two");
  EXPECT_EQ(read_file(checkout(url("#v1")) / "a.txt"), "one");
  EXPECT_EQ(read_file(checkout(url("#" + git("repo", {"rev-parse", "v1"}))) / "a.txt"), "one");
}

TEST_F(GitSourceTest, WhatWasFetchedOnceIsNotFetchedAgain) {
  checkout(url("#" + second_));
  fs::remove_all(directory_.path() / "repo");
  EXPECT_EQ(read_file(checkout(url("#" + second_)) / "a.txt"), "two");
}

TEST_F(GitSourceTest, MovedBranchIsFollowed) {
  checkout(url("#main"));
  write("repo", "a.txt", "four");
  commit("repo", "fourth");
  EXPECT_EQ(read_file(checkout(url("#main")) / "a.txt"), "four");
}

TEST_F(GitSourceTest, SubdirectoryBecomesTheRoot) {
  const fs::path tree = checkout(url("#main:sub/inner"));
  EXPECT_THAT(names_in(tree), UnorderedElementsAre("b.txt"));
}

TEST_F(GitSourceTest, SubdirectoryMustBeOne) {
  fs::create_symlink("/", directory_.path() / "repo/root");
  commit("repo", "a link to everything");
  EXPECT_THAT(error_of<InvalidInput>([&] { checkout(url("#main:sbu")); }),
              HasSubstr("did you mean \"sub\"?"));
  EXPECT_THAT(error_of<InvalidInput>([&] { checkout(url("#main:root/etc")); }), HasSubstr("no directory"));
  EXPECT_THAT(error_of<InvalidInput>([&] { checkout(url("#main:a.txt")); }), HasSubstr("no directory"));
}

TEST_F(GitSourceTest, GitDirectoryIsKeptOnRequest) {
  const fs::path tree = checkout(url("?ref=main&keep-git-dir"));
  fs::create_directory_symlink(tree, directory_.path() / "clone");
  EXPECT_EQ(git("clone", {"rev-parse", "HEAD"}), third_);
  EXPECT_EQ(git("clone", {"rev-parse", "refs/heads/main"}), third_);
  EXPECT_EQ(git("clone", {"status", "--porcelain"}), "");
  EXPECT_EQ(git("clone", {"config", "remote.origin.url"}), url().remote);
  EXPECT_EQ(git("clone", {"log", "--oneline"}).find('\n'), std::string::npos);
  EXPECT_EQ(read_file(tree / ".git/config").find(store_->root().native()), std::string::npos);
}

TEST_F(GitSourceTest, KeptGitDirectoryHasTheAnnotatedTag) {
  fs::create_directory_symlink(checkout(url("?tag=v1&keep-git-dir")), directory_.path() / "clone");
  EXPECT_EQ(git("clone", {"describe"}), "v1");
}

TEST_F(GitSourceTest, SubmodulesComeAlongWithoutTheirGitFiles) {
  make_repository("parent");
  write("parent", ".gitmodules", "[submodule \"m\"]\n\tpath = m\n\turl = ../repo\n");
  git("parent", {"update-index", "--add", "--cacheinfo", concat("160000,", third_, ",m")});
  git("parent", {"add", ".gitmodules"});
  git("parent", {"commit", "--quiet", "-m", "with a submodule"});
  const fs::path tree = checkout(url("", "parent"));
  EXPECT_EQ(read_file(tree / "m/a.txt"), "three");
  EXPECT_FALSE(fs::exists(tree / "m/.git"));
  EXPECT_FALSE(fs::exists(checkout(url("?submodules=false", "parent")) / "m/a.txt"));
}

TEST_F(GitSourceTest, SubmoduleOfAStrangeProtocolRunsNothing) {
  make_repository("parent");
  const fs::path mark = directory_.path() / "executed";
  write("parent", ".gitmodules",
        concat("[submodule \"m\"]\n\tpath = m\n\turl = ext::touch ", mark.native(), "\n"));
  git("parent", {"update-index", "--add", "--cacheinfo", concat("160000,", third_, ",m")});
  git("parent", {"add", ".gitmodules"});
  git("parent", {"commit", "--quiet", "-m", "with an evil submodule"});
  EXPECT_THAT(error_of<InvalidInput>([&] { checkout(url("", "parent")); }), HasSubstr("not allowed"));
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(GitSourceTest, ConfigurationOfTheCallerAndHooksOfTemplatesAreNotUsed) {
  const fs::path mark = directory_.path() / "executed";
  write("home/templates/hooks", "post-checkout", concat("#!/bin/sh\ntouch ", mark.native(), "\n"), 0755);
  write("home", ".gitconfig",
        concat("[init]\n\ttemplateDir = ", (directory_.path() / "home/templates").native(),
               "\n[core]\n\tfsmonitor = \"touch ", mark.native(), "\"\n"));
  const char* old = std::getenv("HOME");
  const std::string before = old ? old : "";
  ::setenv("HOME", (directory_.path() / "home").c_str(), 1);
  checkout(url());
  ::setenv("HOME", before.c_str(), 1);
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(GitSourceTest, IdentityIsOfTheTreeAndNotOfTheAddress) {
  const auto identity = [&](const std::string& rest) { return resolve(url(rest)).identity(url(rest)); };
  EXPECT_EQ(identity("#main"), identity("#" + third_));
  EXPECT_EQ(identity("#main"),
            GitVersion{.commit = third_}.identity(GitUrl{.remote = "https://elsewhere/x.git"}));
  EXPECT_NE(identity("#main"), identity("#release/1"));
  EXPECT_NE(identity("#main"), identity("#main:sub"));
  EXPECT_NE(identity("?ref=main"), identity("?ref=main&keep-git-dir"));
  EXPECT_NE(identity("?ref=main"), identity("?ref=main&submodules=false"));
}

TEST_F(GitSourceTest, HalfMadeRepositoryOfAKilledProcessIsMadeAnew) {
  checkout(url());
  for (const auto& entry : fs::directory_iterator(store_->root() / "git")) {
    if (!entry.is_directory()) continue;
    fs::remove(entry.path() / "slipway");
    fs::remove_all(entry.path() / "objects");
  }
  EXPECT_EQ(read_file(checkout(url()) / "a.txt"), "three");
}

TEST_F(GitSourceTest, WhatSshComplainsOfIsTheMessage) {
  if (!find_program("ssh")) GTEST_SKIP() << "ssh is not installed";
  EXPECT_THAT(error_of<TransportError>([&] { resolve({.remote = "ssh://git@127.0.0.1:1/x.git"}); }),
              HasSubstr("127.0.0.1:1/x.git: ssh: connect to host 127.0.0.1 port 1: Connection refused"));
}

TEST_F(GitSourceTest, StoppingEndsIt) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(source_.resolve(url(), stop.get_token()), Cancelled);
}

}  // namespace
}  // namespace slipway
