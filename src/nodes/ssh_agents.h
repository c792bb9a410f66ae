#pragma once
// The ssh agents that a build may use (--ssh), by id: sockets that are there, or agents of our own around key
// files.
#include <filesystem>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/synchronized.h"

namespace slipway {

/// Either a socket at which an agent listens, or private keys for an agent of our own.
struct SshSource {
  std::filesystem::path socket;
  std::vector<std::filesystem::path> keys;
};

/// Thread-safe.
class SshAgents {
 public:
  explicit SshAgents(std::map<std::string, SshSource> sources);
  /// Ends the agents that it started.
  ~SshAgents();

  /// The socket of the agent `id`, which is started if need be (OpenSSH's ssh-agent and ssh-add); empty if
  /// there is no such id. Throws HostError if these programs are missing, UsageError if a key cannot be used.
  std::filesystem::path socket(const std::string& id, std::stop_token stop);

 private:
  class KeyAgent;
  const std::map<std::string, SshSource> sources_;
  Synchronized<std::map<std::string, std::shared_ptr<KeyAgent>>> started_;
};

}  // namespace slipway
