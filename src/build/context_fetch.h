#pragma once
// Contexts that are not directories of this machine, made into directories of the store.
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/files.h"
#include "content/snapshots.h"
#include "content/store.h"
#include "graph/git_url.h"
#include "nodes/remote_sources.h"

namespace slipway {

/// A directory with a context in it.
struct FetchedContext {
  std::filesystem::path directory;
  std::string shown;                         ///< what messages call it
  std::optional<std::string> dockerfile;     ///< what came was no archive but one file: its text
  std::optional<SourceVersion> origin = {};  ///< of what is not of this machine
};

/// The directories stay until this is destroyed. One owner, not thread-safe.
class ContextFetch {
 public:
  /// Both are borrowed.
  ContextFetch(Store& store, RemoteSources& remote) : store_(store), remote_(remote) {}

  /// `step` is what progress shows.
  FetchedContext git(const GitUrl& url, const std::string& step, std::stop_token stop);
  /// A tar is unpacked; anything else is one file named "context".
  FetchedContext http(const std::string& url, const std::string& step, std::stop_token stop);
  /// What comes on a descriptor: a tar in any compression, or a Dockerfile's text beside an empty directory.
  FetchedContext input(int fd, std::stop_token stop);
  /// A directory with nothing in it.
  std::filesystem::path empty();

 private:
  std::filesystem::path directory_of(SnapshotId tree);

  Store& store_;
  RemoteSources& remote_;
  std::vector<TempDir> temporary_;
  std::vector<MountedTree> trees_;
};

/// All that comes on a descriptor, as text. Throws UsageError if it is nothing, or too large for a
/// Dockerfile.
std::string read_text_input(int fd, std::stop_token stop);
/// The text of a blob that should be a Dockerfile. Throws InvalidInput if it is a web page or too large.
std::string dockerfile_from_blob(Store& store, const Digest& blob, const std::string& url);

}  // namespace slipway
