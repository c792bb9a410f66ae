#include "runtime/agent_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/files.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

UniqueFd socket_at(const fs::path& path, bool listen) {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const auto* generic = reinterpret_cast<const struct sockaddr*>(&address);
  const int result =
      listen ? ::bind(fd.get(), generic, sizeof address) : ::connect(fd.get(), generic, sizeof address);
  if (result != 0) throw SystemError(errno, "socket", path.native());
  if (listen) ::listen(fd.get(), 8);
  return fd;
}

std::string message(unsigned char type, std::string_view rest = {}) {
  const std::size_t size = rest.size() + 1;
  std::string bytes{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                    static_cast<char>(size >> 8), static_cast<char>(size), static_cast<char>(type)};
  return bytes += rest;
}

/// Up to `size` bytes, fewer at the end of the connection.
std::string receive(const UniqueFd& fd, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  for (ssize_t n; got < size && (n = ::read(fd.get(), bytes.data() + got, size - got)) > 0;)
    got += static_cast<std::size_t>(n);
  bytes.resize(got);
  return bytes;
}

class AgentSocketTest : public testing::Test {
 protected:
  /// Answers each request by itself, one connection after another, until it is stopped.
  void serve_echo() {
    agent_ = std::jthread([this, listener = socket_at(agent_path(), true)](const std::stop_token& stop) {
      const std::stop_callback on_stop(stop, [&] { ::shutdown(listener.get(), SHUT_RDWR); });
      while (!stop.stop_requested()) {
        const UniqueFd client{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        char buffer[4096];
        for (ssize_t n; client && (n = ::read(client.get(), buffer, sizeof buffer)) > 0;) {
          requests_ += static_cast<std::size_t>(n);
          if (::send(client.get(), buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) < 0) break;
        }
      }
    });
  }
  fs::path agent_path() const { return directory_.path() / "agent"; }
  fs::path path() const { return directory_.path() / "step"; }

  TempDir directory_;
  std::atomic<std::size_t> requests_{0};
  std::jthread agent_;
};

TEST_F(AgentSocketTest, KeysAreListedAndSign) {
  serve_echo();
  const AgentSocket socket(path(), agent_path());
  const UniqueFd client = socket_at(path(), false);
  for (const std::string& request : {message(11), message(13, "sign this")}) {
    ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    EXPECT_EQ(receive(client, request.size()), request);
  }
}

TEST_F(AgentSocketTest, MessageInPiecesIsOneMessage) {
  serve_echo();
  const AgentSocket socket(path(), agent_path());
  const UniqueFd client = socket_at(path(), false);
  const std::string request = message(13, std::string(3000, 'x'));
  for (const char byte : request) ::send(client.get(), &byte, 1, MSG_NOSIGNAL);
  EXPECT_EQ(receive(client, request.size()), request);
}

TEST_F(AgentSocketTest, StepCannotChangeTheAgent) {
  serve_echo();
  const AgentSocket socket(path(), agent_path());
  const UniqueFd client = socket_at(path(), false);
  for (const int type : {17, 18, 19, 20, 22, 23, 25, 26, 27}) {  // add, remove, lock, extensions
    const std::string request = message(static_cast<unsigned char>(type), "anything");
    ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    EXPECT_EQ(receive(client, 5), message(5)) << type;
  }
  EXPECT_EQ(requests_, 0u);
}

TEST_F(AgentSocketTest, AbsurdLengthEndsTheConnection) {
  serve_echo();
  const AgentSocket socket(path(), agent_path());
  const UniqueFd client = socket_at(path(), false);
  ::send(client.get(), "\xff\xff\xff\xff\x0b", 5, MSG_NOSIGNAL);
  EXPECT_EQ(receive(client, 1), "");
}

TEST_F(AgentSocketTest, AgentThatIsGoneEndsTheConnectionOnly) {
  const AgentSocket socket(path(), agent_path());
  EXPECT_EQ(receive(socket_at(path(), false), 1), "");
  EXPECT_EQ(receive(socket_at(path(), false), 1), "");
}

TEST_F(AgentSocketTest, EndsWithConnectionsOpen) {
  serve_echo();
  UniqueFd client;
  {
    const AgentSocket socket(path(), agent_path());
    client = socket_at(path(), false);
    const std::string request = message(11);
    ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    EXPECT_EQ(receive(client, request.size()), request);
  }
  EXPECT_EQ(receive(client, 1), "");
}

TEST_F(AgentSocketTest, LongPathsAndModesAreNoMatter) {
  serve_echo();
  const fs::path deep = directory_.path() / std::string(120, 'd');
  fs::create_directory(deep);
  AgentSocket socket(deep / "s", agent_path());
  socket.give_to(::getuid(), ::getgid(), 0640);
  struct stat status {};
  ASSERT_EQ(::stat((deep / "s").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
}

}  // namespace
}  // namespace slipway
