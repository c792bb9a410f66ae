#include "slipway/step_flags.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StepFlags : public testing::Test {
 protected:
  StepFlags() {
    ::setenv("STEP_FLAGS_TOKEN", "from the environment", 1);
    write_file_atomic(file(), "from a file");
    write_file_atomic(path("key"), "a key");
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM, 0));
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    path("socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(listener_.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0)
      throw SystemError(errno, "bind");
  }
  std::filesystem::path path(const char* name) const { return directory_.path() / name; }
  std::filesystem::path file() const { return path("secret"); }
  static std::string revealed(const std::string& text) {
    const auto [id, secret] = read_secret(text);
    return id + ": " + secret.reveal();
  }
  static std::string ssh_error(const std::vector<std::string>& texts) {
    try {
      parse_ssh(texts);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "no error";
  }
  TempDir directory_;
  UniqueFd listener_;
};

TEST_F(StepFlags, SecretComesFromAFile) {
  EXPECT_EQ(revealed("id=x,src=" + file().native()), "x: from a file");
  EXPECT_EQ(revealed("type=file,ID=x,source=" + file().native()), "x: from a file");
}
TEST_F(StepFlags, SecretComesFromAVariable) {
  EXPECT_EQ(revealed("id=x,env=STEP_FLAGS_TOKEN"), "x: from the environment");
  EXPECT_EQ(revealed("id=x,type=env,src=STEP_FLAGS_TOKEN"), "x: from the environment");
}
TEST_F(StepFlags, SecretByItsIdIsAVariableOrAFile) {
  EXPECT_EQ(revealed("id=STEP_FLAGS_TOKEN"), "STEP_FLAGS_TOKEN: from the environment");
  EXPECT_EQ(revealed("id=" + file().native()), file().native() + ": from a file");
}
TEST_F(StepFlags, SecretsThatSayTooLittleOrTooMuchAreRefused) {
  for (const char* text : {"", "x", "src=", "id=x,what=y", "id=x,type=tape,src=/dev/null",
                           "id=x,env=STEP_FLAGS_NOT_SET", "id=x,src=/nonexistent", "id=x,src=/dev/zero"})
    EXPECT_THROW(read_secret(text), UsageError) << text;
}
TEST_F(StepFlags, AgentOfTheEnvironment) {
  ::setenv("SSH_AUTH_SOCK", "/run/agent", 1);
  EXPECT_EQ(parse_ssh({"default"}).at("default").socket, "/run/agent");
  EXPECT_EQ(parse_ssh({"git="}).at("git").socket, "/run/agent");
  ::unsetenv("SSH_AUTH_SOCK");
  EXPECT_THAT(ssh_error({"default"}), HasSubstr("SSH_AUTH_SOCK is not set"));
}
TEST_F(StepFlags, SocketsAndKeysAreToldApart) {
  const auto sources = parse_ssh({"default=" + path("socket").native() + ",raw=false",
                                  "git=" + path("key").native() + "," + file().native()});
  EXPECT_EQ(sources.at("default").socket, path("socket"));
  EXPECT_THAT(sources.at("git").keys, ElementsAre(path("key"), file()));
}
TEST_F(StepFlags, SshThatCannotBeIsRefused) {
  EXPECT_THAT(ssh_error({"default=/nonexistent"}), HasSubstr("/nonexistent"));
  EXPECT_THAT(ssh_error({"a=" + path("socket").native() + "," + path("key").native()}),
              HasSubstr("not both"));
  EXPECT_THAT(ssh_error({"a=" + path("socket").native() + "," + path("socket").native()}),
              HasSubstr("more than one"));
  EXPECT_THAT(ssh_error({"a=" + path("key").native(), "a=" + path("key").native()}), HasSubstr("twice"));
  EXPECT_THAT(ssh_error({"a=" + path("socket").native() + ",raw=true"}), HasSubstr("raw=true"));
}

}  // namespace
}  // namespace slipway
