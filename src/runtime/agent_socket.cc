#include "runtime/agent_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"

// The protocol is one answer to one request, each with its length before it, so one thread a connection reads
// a request, decides, and carries the answer back. All waiting is in poll(2), together with the descriptor
// that says "end".
namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostConnections = 32;
constexpr std::uint32_t kLongestMessage = 256 * 1024;  // as OpenSSH's agent
constexpr unsigned char kFailure = 5, kRequestIdentities = 11, kSignRequest = 13;

/// Socket addresses are short, paths of stores may be long: the address goes by way of an open directory.
struct sockaddr_un address_of(const std::string& path) {
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

UniqueFd new_socket() {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) throw SystemError(errno, "socket");
  return fd;
}

/// One end of a connection. Every call returns false if the other side or we end it.
class End {
 public:
  End(int fd, int stop) : fd_(fd), stop_(stop) {}

  bool receive(char* to, std::size_t size) const {
    while (size > 0) {
      const ssize_t n = ::recv(fd_, to, size, 0);
      if (n > 0) {
        to += n;
        size -= static_cast<std::size_t>(n);
      } else if (n == 0 || !may_go_on(POLLIN)) {
        return false;
      }
    }
    return true;
  }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (!may_go_on(POLLOUT)) {
        return false;
      }
    }
    return true;
  }
  /// A whole message with its length before it; nothing if there is none or it is absurd.
  std::optional<std::string> message() const {
    std::array<unsigned char, 4> length{};
    if (!receive(reinterpret_cast<char*>(length.data()), length.size())) return std::nullopt;
    const std::uint32_t size =
        static_cast<std::uint32_t>(length[0]) << 24 | length[1] << 16 | length[2] << 8 | length[3];
    if (size == 0 || size > kLongestMessage) return std::nullopt;
    std::string bytes(reinterpret_cast<const char*>(length.data()), length.size());
    bytes.resize(length.size() + size);
    if (!receive(bytes.data() + length.size(), size)) return std::nullopt;
    return bytes;
  }

 private:
  /// After a call that moved nothing.
  bool may_go_on(short events) const {
    if (errno == EINTR) return true;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
    std::array<struct pollfd, 2> fds{{{fd_, events, 0}, {stop_, POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0)
      if (errno != EINTR) return false;
    return fds[1].revents == 0;
  }
  int fd_, stop_;
};

bool is_allowed(const std::string& message) {
  const auto type = static_cast<unsigned char>(message[4]);
  return type == kRequestIdentities || type == kSignRequest;
}

}  // namespace

struct AgentSocket::Impl {
  struct Connection {
    std::atomic<bool> ended{false};
    std::thread thread;
  };

  Impl(const fs::path& path, fs::path agent_path)
      : agent(std::move(agent_path)),
        directory(open_file(path.parent_path(), O_PATH | O_DIRECTORY)),
        name(path.filename()) {
    const struct sockaddr_un address = address_of(own_path());
    if (::bind(listener.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0)
      throw SystemError(errno, "bind", path.native());
    if (::listen(listener.get(), SOMAXCONN) != 0) throw SystemError(errno, "listen", path.native());
    if (!stop) throw SystemError(errno, "eventfd");
    acceptor = std::thread([this] { accept_all(); });
  }
  ~Impl() {
    ::eventfd_write(stop.get(), 1);
    acceptor.join();
    for (Connection& connection : connections) connection.thread.join();
  }

  std::string own_path() const { return concat("/proc/self/fd/", directory.get(), "/", name); }

  void accept_all() {
    std::array<struct pollfd, 2> fds{{{listener.get(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
    while (true) {
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[1].revents) return;
      const int client = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client >= 0) begin(UniqueFd(client));
    }
  }

  void begin(UniqueFd client) {
    std::erase_if(connections, [](Connection& connection) {
      if (!connection.ended) return false;
      connection.thread.join();
      return true;
    });
    if (connections.size() >= kMostConnections) return;  // closed: a step that wants more has no good reason
    Connection& connection = connections.emplace_back();
    connection.thread = std::thread([this, &connection, fd = std::move(client)] {
      serve(fd);
      connection.ended = true;
    });
  }

  void serve(const UniqueFd& client) const noexcept {
    try {
      const UniqueFd server = connect_to_agent();
      const End step(client.get(), stop.get()), keys(server.get(), stop.get());
      while (const auto request = step.message()) {
        std::optional<std::string> answer = std::string{0, 0, 0, 1, static_cast<char>(kFailure)};
        if (is_allowed(*request)) answer = keys.send(*request) ? keys.message() : std::nullopt;
        if (!answer || !step.send(*answer)) return;
      }
    } catch (const std::exception&) {
      // the connection ends; ssh says that its agent does not answer
    }
  }

  UniqueFd connect_to_agent() const {
    const UniqueFd place = open_file(agent, O_PATH);
    const struct sockaddr_un address = address_of(concat("/proc/self/fd/", place.get()));
    UniqueFd server = new_socket();
    // Of a local socket only a full backlog keeps us waiting; the client will ask again.
    if (::connect(server.get(), reinterpret_cast<const struct sockaddr*>(&address), sizeof address) != 0)
      throw SystemError(errno, "connect", agent.native());
    return server;
  }

  fs::path agent;
  UniqueFd directory;
  std::string name;
  UniqueFd listener = new_socket();
  UniqueFd stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::list<Connection> connections;  // of the acceptor alone
  std::thread acceptor;
};

AgentSocket::AgentSocket(const fs::path& path, fs::path agent)
    : impl_(std::make_unique<Impl>(path, std::move(agent))) {}

AgentSocket::~AgentSocket() = default;

void AgentSocket::give_to(unsigned uid, unsigned gid, unsigned mode) {
  const std::string path = impl_->own_path();
  if (::chmod(path.c_str(), mode) != 0) throw SystemError(errno, "chmod", impl_->name);
  if (::lchown(path.c_str(), uid, gid) != 0) throw SystemError(errno, "chown", impl_->name);
}

}  // namespace slipway
