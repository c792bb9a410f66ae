#include "registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

class DockerConfigTest : public testing::Test {
 protected:
  TempDir directory;
  std::filesystem::path file() const { return directory.path() / "config.json"; }
  std::shared_ptr<CredentialSource> with(const std::string& text) {
    write_file_atomic(file(), text);
    return docker_config_credentials(file());
  }
  static std::string shown(const std::optional<Credentials>& found) {
    return found ? found->username + "|" + found->password.reveal() : "none";
  }
  std::string problem_of(const std::string& text) {
    try {
      with(text)->find("h.example");
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "none";
  }

  // A credential helper in PATH for the length of a test.
  void add_helper(const std::string& name, const std::string& script) {
    write_file_atomic(directory.path() / ("docker-credential-" + name), "#!/bin/sh\n" + script, Durability::None, 0755);
    ::setenv("PATH", concat(directory.path().string(), ":", old_path_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", old_path_.c_str(), 1); }

 private:
  std::string old_path_ = std::getenv("PATH");
};

TEST_F(DockerConfigTest, NoFileMeansAnonymous) {
  EXPECT_EQ(shown(docker_config_credentials(file())->find("docker.io")), "none");
  EXPECT_EQ(shown(with("")->find("docker.io")), "none");
  EXPECT_EQ(shown(with("{}")->find("docker.io")), "none");
}

TEST_F(DockerConfigTest, AuthIsDecoded) {
  const auto source = with(R"({"auths":{"h.example:5000":{"auth":")" + base64_encode("me:pa:ss") + R"("}}})");
  EXPECT_EQ(shown(source->find("h.example:5000")), "me|pa:ss");
  EXPECT_EQ(shown(source->find("h.example")), "none");
}

TEST_F(DockerConfigTest, PlainUserAndPassword) {
  EXPECT_EQ(shown(with(R"({"auths":{"h":{"username":"u","password":"p"}}})")->find("h")), "u|p");
}

TEST_F(DockerConfigTest, IdentityTokenHasNoUser) {
  const auto source = with(R"({"auths":{"h":{"auth":")" + base64_encode("me:x") + R"(","identitytoken":"T"}}})");
  EXPECT_EQ(shown(source->find("h")), "|T");
}

TEST_F(DockerConfigTest, HubIsKnownByItsOldAddress) {
  const std::string entry = R"({"auth":")" + base64_encode("me:pw") + R"("})";
  for (const char* key : {"https://index.docker.io/v1/", "index.docker.io", "docker.io", "https://docker.io",
                          "registry-1.docker.io"})
    EXPECT_EQ(shown(with(concat(R"({"auths":{")", key, R"(":)", entry, "}}"))->find("docker.io")), "me|pw") << key;
}

TEST_F(DockerConfigTest, KeysWithSchemeAndPathMatchTheirHost) {
  const auto source = with(R"({"auths":{"https://h.example/v1/":{"username":"old","password":"1"},
                                        "g.example":{"username":"exact","password":"2"},
                                        "https://g.example/v2/":{"username":"other","password":"3"}}})");
  EXPECT_EQ(shown(source->find("h.example")), "old|1");
  EXPECT_EQ(shown(source->find("g.example")), "exact|2");
}

TEST_F(DockerConfigTest, OauthEntriesAreNoPasswords) {
  EXPECT_EQ(shown(with(R"({"auths":{"https://index.docker.io/v1/access-token":{"username":"u","password":"p"}}})")
                      ->find("docker.io")),
            "none");
}

TEST_F(DockerConfigTest, MalformedFileIsNamedAndNotQuoted) {
  EXPECT_THAT(problem_of("{\"auths\": hunter2"), testing::AllOf(HasSubstr("config.json"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(problem_of(R"({"auths":[]})"), HasSubstr("$.auths"));
  EXPECT_THAT(problem_of(R"({"auths":{"h":{"auth":"bm9jb2xvbg=="}}})"),
              testing::AllOf(HasSubstr("$.auths.h"), Not(HasSubstr("bm9jb2xvbg"))));
  EXPECT_THAT(problem_of(R"({"credsStore":"../../bin/x"})"), HasSubstr("credential helper"));
}

TEST_F(DockerConfigTest, HelperOfTheHostIsAsked) {
  add_helper("one", R"(read -r key; printf '{"ServerURL":"%s","Username":"from-%s","Secret":"s"}' "$key" "$key")");
  const auto source = with(R"({"credHelpers":{"h.example":"one","docker.io":"one"},
                               "auths":{"h.example":{"username":"u","password":"p"}}})");
  EXPECT_EQ(shown(source->find("h.example")), "from-h.example|s");
  EXPECT_EQ(shown(source->find("docker.io")), "from-https://index.docker.io/v1/|s");
  EXPECT_EQ(shown(source->find("other.example")), "none");
}

TEST_F(DockerConfigTest, HelperMayHoldAnIdentityToken) {
  add_helper("two", R"(echo '{"Username":"<token>","Secret":"T"}')");
  EXPECT_EQ(shown(with(R"({"credsStore":"two"})")->find("h")), "|T");
}

TEST_F(DockerConfigTest, StoreWithoutAnEntryFallsBackToTheFile) {
  add_helper("three", "echo 'credentials not found in native keychain'; exit 1");
  const auto source = with(R"({"credsStore":"three","auths":{"h":{"username":"u","password":"p"}}})");
  EXPECT_EQ(shown(source->find("h")), "u|p");
  EXPECT_EQ(shown(source->find("g")), "none");
}

TEST_F(DockerConfigTest, MissingOrBrokenHelperIsSaid) {
  EXPECT_THROW(with(R"({"credsStore":"no-such-helper"})")->find("h"), HostError);
  add_helper("four", "echo secret-on-stdout; echo 'keychain is locked' >&2; exit 3");
  try {
    with(R"({"credsStore":"four"})")->find("h");
    FAIL() << "no error";
  } catch (const HostError& error) {
    EXPECT_THAT(error.what(), HasSubstr("keychain is locked"));
    EXPECT_THAT(error.what(), Not(HasSubstr("secret-on-stdout")));
  }
}

TEST_F(DockerConfigTest, DockerConfigNamesTheDirectory) {
  write_file_atomic(file(), R"({"auths":{"h":{"username":"u","password":"p"}}})");
  ::setenv("DOCKER_CONFIG", directory.path().c_str(), 1);
  EXPECT_EQ(shown(docker_config_credentials()->find("h")), "u|p");
  ::unsetenv("DOCKER_CONFIG");
}

}  // namespace
}  // namespace slipway
