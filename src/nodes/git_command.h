#pragma once
// The git program, run so that neither the caller's configuration nor anything in a repository decides what
// is executed: no system or user configuration, no hooks, no prompts, no credential helpers, few protocols.
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "graph/git_url.h"

namespace slipway {

/// What of the caller's git may use.
struct GitAccess {
  std::map<std::string, Secret> secrets;  ///< GIT_AUTH_TOKEN[.HOST] and GIT_AUTH_HEADER[.HOST] among them
  std::string ssh_auth_sock;              ///< of an agent; empty: none
  std::filesystem::path known_hosts;      ///< the caller's; keys of other hosts are taken at first sight
};

/// Lines that git says while it works.
using GitLog = std::function<void(std::string_view bytes)>;

/// Commands for one remote repository. Not thread-safe.
class GitCommand {
 public:
  /// `home` is a directory of ours that outlives this; ssh keeps keys of new hosts in it. Throws HostError
  /// naming the package if git, or ssh for a URL that needs it, is not installed.
  GitCommand(const GitUrl& url, const GitAccess& access, std::filesystem::path home);

  struct Run {
    std::vector<std::string> args;
    std::filesystem::path git_dir, work_tree;  ///< empty: none
    std::filesystem::path directory;           ///< working directory
    bool local = false;  ///< talks to repositories of our own on this machine, not to the remote one
  };
  /// Its standard output. Throws as failure() says if git does not succeed; Cancelled.
  std::string run(const Run& run, const GitLog& log, const std::stop_token& stop) const;
  /// The same, with nothing for a failure.
  std::optional<std::string> try_run(const Run& run, const std::stop_token& stop) const;

  /// What git is given as the address: without user and password where they travel as a header.
  const std::string& remote() const { return remote_; }

 private:
  std::vector<std::string> environment(const Run& run) const;
  [[noreturn]] void failure(const std::string& complaint) const;

  const GitUrl& url_;
  std::string remote_;
  std::string scheme_;
  Secret authorization_;
  const GitAccess& access_;
  std::filesystem::path home_;
};

}  // namespace slipway
