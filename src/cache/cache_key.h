#pragma once
// Definition-level cache keys: what a step is, and the keys of what it reads. A key is known before anything
// runs, so a step whose key has a result needs none of its inputs. Not for content-level keys (digests of
// produced trees).
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "graph/graph.h"

namespace slipway {

/// Gives the content that a step reads from outside the graph. Declared here, implemented by who holds the
/// contexts.
class LocalContent {
 public:
  virtual ~LocalContent() = default;
  /// Digest of what `copy` selects in the local source `name`. Throws InvalidInput with `vertex`'s location
  /// if that is nothing.
  virtual Digest digest(const std::string& name, const CopyAction& copy, const Vertex& vertex,
                        std::stop_token stop) = 0;
};

/// Tells what remote sources (git, http) are at this moment. Declared here, implemented by who fetches them.
class RemoteContent {
 public:
  virtual ~RemoteContent() = default;
  /// One text for each of the vertices, in order: equal texts are equal trees, whatever the addresses. Throws
  /// with the place of the first vertex that cannot be asked.
  virtual std::vector<std::string> identities(const std::vector<const Vertex*>& sources,
                                              std::stop_token stop) = 0;
};

/// The first field of a key. Where files can be nobody's but root's it is another: owners that a tree has
/// elsewhere are lost there, so such results answer only who could not make better ones.
std::string key_format(std::string_view format);

/// The op without what its keys cover in another way (its inputs) or must not cover (proxies).
std::string own_definition(const Vertex& vertex);

/// True for a git or http source.
bool is_remote_source(const Op& op);

/// "context" of "local://context"; empty if the op is no local source.
std::string local_source_name(const Op& op);

/// What a mount reads of a local source, as the copy that reads the same.
CopyAction selection_of_mount(const Mount& mount);

/// One key a vertex, for all of `graph`. A local source has a key of its definition only: what counts is what
/// the steps above it select. A remote source's key is what it is, not what it is called. Proxy settings,
/// secrets' values and vertex names are in no key. Throws as LocalContent and RemoteContent do.
std::map<Digest, Digest> cache_keys(const Graph& graph, LocalContent& content, RemoteContent& remote,
                                    std::stop_token stop);
/// The same for a graph that has no remote sources, which the caller knows.
std::map<Digest, Digest> cache_keys(const Graph& graph, LocalContent& content, std::stop_token stop);

}  // namespace slipway
