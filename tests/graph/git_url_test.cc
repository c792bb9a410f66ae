#include "graph/git_url.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace slipway {
namespace {

using testing::HasSubstr;
const std::string kCommit(40, 'a');

struct Case {
  const char* name;
  std::string text;
  GitUrl url;
};

class GitUrlForms : public testing::TestWithParam<Case> {};

TEST_P(GitUrlForms, AreUnderstoodAndSurviveTheGraph) {
  const auto url = parse_git_context(GetParam().text);
  ASSERT_TRUE(url);
  EXPECT_EQ(*url, GetParam().url);
  EXPECT_EQ(git_url_of(to_source_op(*url)), *url);
}

INSTANTIATE_TEST_SUITE_P(
    All, GitUrlForms,
    testing::Values(
        Case{"https", "https://github.com/a/b.git", {.remote = "https://github.com/a/b.git"}},
        Case{"ref_and_subdir",
             "https://github.com/a/b.git#v1.0:sub/dir",
             {.remote = "https://github.com/a/b.git", .ref = "v1.0", .subdir = "sub/dir"}},
        Case{"subdir_only",
             "https://h/b.git#:./sub//dir/",
             {.remote = "https://h/b.git", .subdir = "sub/dir"}},
        Case{"scp_like", "git@github.com:a/b.git#main", {.remote = "git@github.com:a/b.git", .ref = "main"}},
        Case{"scp_like_query", "git@h:a/b?ref=main", {.remote = "git@h:a/b", .ref = "main"}},
        Case{"ssh", "ssh://git@h:2222/a/b", {.remote = "ssh://git@h:2222/a/b"}},
        Case{"git", "git://127.0.0.1:9418/b", {.remote = "git://127.0.0.1:9418/b"}},
        Case{"github", "github.com/a/b#main", {.remote = "https://github.com/a/b", .ref = "main"}},
        Case{"file", "file:///srv/b.git", {.remote = "file:///srv/b.git"}},
        Case{"tag", "https://h/b.git?tag=v1", {.remote = "https://h/b.git", .ref = "refs/tags/v1"}},
        Case{
            "branch", "https://h/b.git?branch=a%2Fb", {.remote = "https://h/b.git", .ref = "refs/heads/a/b"}},
        Case{"commit",
             "https://h/b.git?branch=x&commit=ABC1",
             {.remote = "https://h/b.git", .ref = "refs/heads/x", .checksum = "abc1"}},
        Case{"flags",
             "https://h/b.git?keep-git-dir&submodules=false",
             {.remote = "https://h/b.git", .keep_git_dir = true, .submodules = false}},
        Case{"by_commit",
             "https://h/b.git?fetch-by-commit=true&commit=" + kCommit,
             {.remote = "https://h/b.git", .ref = kCommit, .checksum = kCommit}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(GitUrl, OtherThingsAreNotGit) {
  for (const char* text :
       {"https://example.com/a.tar.gz", "http://h/", "./b.git", "b.git", "/srv/b.git", "ftp://h/b.git",
        "file:///srv/b.git", "ext::sh -c x", "docker-image://alpine", "github.com/a/b", "c:\\x"})
    EXPECT_FALSE(parse_git_url(text)) << text;
}

class BadGitUrls : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadGitUrls, AreRefusedWithAReason) {
  try {
    parse_git_context(GetParam().first);
    FAIL() << GetParam().first;
  } catch (const InvalidInput& e) {
    EXPECT_THAT(std::string(e.what()) + e.hint(), HasSubstr(GetParam().second));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadGitUrls,
    testing::Values(std::pair{"https://h/b.git#--upload-pack=x", "no name of a branch"},
                    std::pair{"https://h/b.git#a b", "no name of a branch"},
                    std::pair{"https://h/b.git?ref=-x", "no name of a branch"},
                    std::pair{"https://h/b.git#main:../..", "leads out"},
                    std::pair{"https://h/b.git?subdir=a/../../b", "leads out"},
                    std::pair{"ssh://-oProxyCommand=x/b.git", "is no host"},
                    std::pair{"ssh://u@-x/b.git", "is no host"}, std::pair{"https:///b.git", "is no host"},
                    std::pair{"https://h/b.git?tagg=x", "did you mean tag="},
                    std::pair{"https://h/b.git?ref=", "has no value"},
                    std::pair{"https://h/b.git?ref=a&ref=a", "twice"},
                    std::pair{"https://h/b.git?ref=a#b", "two refs"},
                    std::pair{"https://h/b.git?tag=a&branch=b", "both a tag and a branch"},
                    std::pair{"https://h/b.git?subdir=a#m:b", "two directories"},
                    std::pair{"https://h/b.git?checksum=xyz", "not the hexadecimal id"},
                    std::pair{"https://h/b.git?submodules=maybe", "neither true nor false"},
                    std::pair{"https://h/b.git?fetch-by-commit", "whole id"}));

TEST(GitUrl, CredentialsAreNotShown) {
  EXPECT_EQ(without_credentials("https://user:token@h:8443/b.git#x"), "https://h:8443/b.git#x");
  EXPECT_EQ(without_credentials("ssh://git:pw@h/b"), "ssh://git@h/b");
  EXPECT_EQ(without_credentials("git@h:b"), "git@h:b");
  EXPECT_EQ(git_host("https://u:p@h:8443/b.git"), "h:8443");
  EXPECT_EQ(git_host("git@h:a/b"), "h");
  EXPECT_EQ(to_source_op({.remote = "https://u:p@h/b.git"}).identifier, "git://h/b.git");
}

TEST(GitUrl, IdentifierWithoutTheFullUrlMeansHttps) {
  const auto url = git_url_of({.identifier = "git://h/a/b.git#main:sub", .attrs = {}});
  EXPECT_EQ(url, (GitUrl{.remote = "https://h/a/b.git", .ref = "main", .subdir = "sub"}));
}

}  // namespace
}  // namespace slipway
