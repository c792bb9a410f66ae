#pragma once
// The directories that a build reads from this machine, by the name that local sources use ("context").
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/rooted.h"
#include "cache/cache_key.h"
#include "content/patterns.h"
#include "content/store.h"

namespace slipway {

struct LocalContext {
  std::filesystem::path directory;
  RootedDir tree;
  PatternMatcher ignored;
};

/// Filled before the build starts, read only after; thread-safe then.
class LocalContexts final : public LocalContent {
 public:
  explicit LocalContexts(FileDigests* digests) : digests_(digests) {}
  /// Throws SystemError if the directory cannot be opened, InvalidInput for a bad pattern.
  void add(const std::string& name, const std::filesystem::path& directory,
           const std::vector<std::string>& ignore_patterns);
  const LocalContext& at(const std::string& name) const;

  Digest digest(const std::string& name, const CopyAction& copy, const Vertex& vertex, std::stop_token stop) override;

 private:
  std::map<std::string, LocalContext> contexts_;
  FileDigests* digests_;
};

/// Rethrows a NotFound of content/tree.h as InvalidInput at the vertex's instruction, saying where the path was looked
/// for. Call from within a catch block.
[[noreturn]] void rethrow_missing_source(const NotFound& missing, const Vertex& vertex, const std::string& where);

}  // namespace slipway
