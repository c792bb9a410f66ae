#pragma once
// The git and http sources of one build: each is asked once what it is now, before anything runs, and fetched
// only if a step needs its tree.
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/progress.h"
#include "base/synchronized.h"
#include "cache/cache_key.h"
#include "content/store.h"
#include "nodes/git_source.h"
#include "nodes/http_source.h"

namespace slipway {

/// What a remote source was when it was asked for.
struct SourceVersion {
  std::string url;     ///< without user and password; of git with "#REF:SUBDIR"
  std::string digest;  ///< "sha256:…" of bytes; "sha1:…" or "sha256:…" of a commit
};

/// Thread-safe.
class RemoteSources final : public RemoteContent {
 public:
  /// All of it is borrowed.
  RemoteSources(Store& store, GitSource& git, HttpSource& http, ProgressSink& progress)
      : store_(store), git_(git), http_(http), progress_(progress) {}

  /// Asks for several at once. Errors carry the vertex's place: those that are the Dockerfile's fault as
  /// InvalidInput, others with it in their context.
  std::vector<std::string> identities(const std::vector<const Vertex*>& sources,
                                      std::stop_token stop) override;

  /// The tree of a source that identities() has seen.
  SnapshotId fetch(const Vertex& vertex, std::stop_token stop);

  /// Of a source that identities() has seen; nothing for others.
  std::optional<SourceVersion> version_of(const Vertex& vertex);

  /// What no vertex stands for: contexts. The tree is kept in the store under the version's identity. Shown
  /// as a step named `name`.
  struct GitTree {
    SnapshotId tree;
    SourceVersion version;
  };
  GitTree git_tree(const GitUrl& url, const std::string& name, std::stop_token stop);
  /// The file behind a URL, as a blob.
  HttpVersion http_file(const std::string& url, const std::string& name, std::stop_token stop);

 private:
  std::string resolve(const Vertex& vertex, const std::stop_token& stop);
  ItemProgress item_progress(const std::string& step) const;
  GitLog git_log(const std::string& step) const;
  /// Runs `work` as a step outside the graph.
  template <class Work>
  auto as_step(const std::string& id, const std::string& name, Work work);

  Store& store_;
  GitSource& git_;
  HttpSource& http_;
  ProgressSink& progress_;
  Synchronized<std::map<Digest, GitVersion>> git_versions_;
  Synchronized<std::map<Digest, HttpVersion>> http_versions_;
};

}  // namespace slipway
