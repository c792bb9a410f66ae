#pragma once
// What steps bind-mount of local contexts: a copy of the selection, as a context may hold files that are
// ignored, belongs to whoever called us, and changes while we build.
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/synchronized.h"
#include "graph/graph.h"
#include "nodes/local_contexts.h"

namespace slipway {

/// Copies are made when first asked for, once for all steps of a build. Thread-safe.
class ContextTrees {
 public:
  ContextTrees(LocalContexts& contexts, std::filesystem::path temp_directory)
      : contexts_(contexts), temp_(std::move(temp_directory)) {}

  /// The copy of what `mount` selects in the context `name`: a directory or a file, owned by root. Throws
  /// InvalidInput at the vertex's instruction if that is nothing, or is no longer what the vertex's cache key
  /// says.
  std::filesystem::path tree(const std::string& name, const Mount& mount, const Vertex& vertex,
                             std::stop_token stop);

 private:
  struct Copy {
    TempDir directory;
    std::filesystem::path path;
    Digest content;
  };
  using Shared = std::shared_future<std::shared_ptr<const Copy>>;  // owned by the map, and by those who wait

  std::shared_ptr<const Copy> make(const std::string& name, const CopyAction& selection, const Vertex& vertex,
                                   const std::stop_token& stop);

  LocalContexts& contexts_;
  const std::filesystem::path temp_;
  Synchronized<std::map<std::pair<std::string, std::string>, Shared>> copies_;  ///< by context and selector
};

}  // namespace slipway
