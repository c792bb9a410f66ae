#pragma once
// A socket of ours at which a step meets an ssh agent of the caller's. The agent's own socket cannot be given
// away: its owner and mode are the caller's, and a step may use keys but must not add, remove or lock any.
#include <filesystem>
#include <memory>

namespace slipway {

/// Listens from construction to destruction, with threads of its own. Everything that is asked beyond the
/// list of keys and signatures is refused here (draft-ietf-sshm-ssh-agent).
class AgentSocket {
 public:
  /// Makes the socket `path`. `agent` is connected to for each connection that comes; if that fails, the
  /// connection is closed. Throws SystemError.
  AgentSocket(const std::filesystem::path& path, std::filesystem::path agent);
  ~AgentSocket();
  AgentSocket(const AgentSocket&) = delete;
  AgentSocket& operator=(const AgentSocket&) = delete;
  void give_to(unsigned uid, unsigned gid, unsigned mode);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
