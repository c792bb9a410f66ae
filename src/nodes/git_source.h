#pragma once
// Git repositories as sources: which commit a URL means now, and that commit's tree as a snapshot. One bare
// repository a URL is kept in the store (ROOT/git), so that what was fetched once is not fetched again.
#include <memory>
#include <stop_token>
#include <string>

#include "base/unique_fd.h"
#include "content/store.h"
#include "graph/git_url.h"
#include "nodes/git_command.h"

namespace slipway {

/// What a git URL stands for at one moment.
struct GitVersion {
  std::string commit;  ///< its whole id
  std::string ref;     ///< "refs/heads/main"; empty if the URL names a commit, or the server no branch
  std::string tag;     ///< id of the annotated tag's object, if the ref is one

  /// The same for the same tree; of the repository's address only if the tree holds it (.git).
  std::string identity(const GitUrl& url) const;
};

/// Thread-safe, and safe with other processes on the same store.
class GitSource {
 public:
  /// `store` is borrowed.
  GitSource(Store& store, GitAccess access) : store_(store), access_(std::move(access)) {}

  /// Asks the repository, unless the URL has a whole commit id. Throws InvalidInput if it has no such ref
  /// (with the nearest name as a hint), IntegrityError if the commit is not the one that a checksum says,
  /// NotFound, Denied, TransportError, HostError, Cancelled.
  GitVersion resolve(const GitUrl& url, const std::stop_token& stop);

  /// The commit's tree (or one directory of it): files of root, modes 644 and 755, times of the commit, so
  /// that one commit is always one tree. Throws as resolve() does.
  SnapshotId checkout(const GitUrl& url, const GitVersion& version, const GitLog& log,
                      const std::stop_token& stop);

 private:
  struct Repository;
  Repository open_repository(const GitUrl& url, bool long_ids, const std::stop_token& stop) const;
  void fetch(const GitCommand& git, const Repository& repository, const GitUrl& url,
             const GitVersion& version, const GitLog& log, const std::stop_token& stop) const;
  std::filesystem::path home() const;

  Store& store_;
  const GitAccess access_;
};

}  // namespace slipway
