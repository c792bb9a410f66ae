#include "support/real_registry.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <stdexcept>

#include "base/strings.h"
#include "base/subprocess.h"

extern char** environ;

namespace slipway::testing_support {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Free now; nobody else on this machine is likely to take it within the next moment.
int free_port() {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

bool answers(int port) {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::optional<std::string> RealRegistry::missing(bool with_login) {
  if (!find_program("docker-registry")) return "docker-registry is not installed";
  if (with_login && !find_program("htpasswd")) return "htpasswd is not installed";
  return std::nullopt;
}

RealRegistry::RealRegistry(const std::optional<Login>& login) : port_(free_port()) {
  std::string config = concat("version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ",
                              (directory_.path() / "data").string(), "\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:", port_, "\n");
  if (login) {
    const ProcessResult file = run_process({.argv = {"htpasswd", "-Bbn", login->user, login->password}});
    if (!file.ok()) throw std::runtime_error("htpasswd failed: " + file.err);
    write_file_atomic(directory_.path() / "htpasswd", file.out);
    config += concat("auth:\n  htpasswd:\n    realm: test\n    path: ", (directory_.path() / "htpasswd").string(), "\n");
  }
  write_file_atomic(directory_.path() / "config.yml", config);
  start(directory_.path() / "config.yml");
}

void RealRegistry::start(const std::filesystem::path& config) {
  const std::string log = directory_.path() / "log";
  const std::string program = find_program("docker-registry").value();
  std::string serve = "serve", file = config;
  std::string name = program;
  char* argv[] = {name.data(), serve.data(), file.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int problem = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) throw std::runtime_error("docker-registry cannot be started");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!answers(port_)) {
    if (std::chrono::steady_clock::now() > deadline || ::waitpid(pid_, nullptr, WNOHANG) == pid_)
      throw std::runtime_error("docker-registry does not answer: " + read_file_if_exists(log).value_or(""));
    ::poll(nullptr, 0, 10);  // nothing tells when it listens
  }
}

RealRegistry::~RealRegistry() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string RealRegistry::host() const { return concat("127.0.0.1:", port_); }

}  // namespace slipway::testing_support
