#pragma once
// The directories that a build reads from this machine, by the name that local sources use ("context").
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rooted.h"
#include "base/synchronized.h"
#include "cache/cache_key.h"
#include "content/copy_record.h"
#include "content/patterns.h"
#include "content/selection_list.h"
#include "content/store.h"
#include "content/tree.h"

namespace slipway {

struct LocalContext {
  std::string shown;  ///< for messages: the directory, or where it was fetched from
  RootedDir tree;
  PatternMatcher ignored;
};

/// Hears what a step reads of a context, when it is digested for the step's key.
using ContextListener = std::function<void(const Vertex& vertex, const std::string& name,
                                           const CopyAction& copy, const SelectionList& list)>;

/// Contexts are added before the build starts; after that, thread-safe.
class LocalContexts final : public LocalContent {
 public:
  explicit LocalContexts(FileDigests* digests) : digests_(digests) {}
  /// Throws SystemError if the directory cannot be opened, InvalidInput for a bad pattern.
  /// `shown` is what messages call it, if the directory would say nothing to a user.
  void add(const std::string& name, const std::filesystem::path& directory,
           const std::vector<std::string>& ignore_patterns, const std::string& shown = {});
  /// Before the build starts, too; called on the threads of digest().
  void set_listener(ContextListener listener) { listener_ = std::move(listener); }
  const LocalContext& at(const std::string& name) const;

  /// Remembers what it said, for check_copied().
  Digest digest(const std::string& name, const CopyAction& copy, const Vertex& vertex,
                std::stop_token stop) override;

  /// What digest() said, or, if it was not asked, says now.
  Digest seen(const std::string& name, const CopyAction& copy, const Vertex& vertex, std::stop_token stop);
  /// Of what digest() said that; null if it was not asked, or the list is forgotten.
  std::shared_ptr<const SelectionList> listed(const std::string& name, const CopyAction& copy,
                                              const Vertex& vertex);

  /// Lists take memory, about 0.8 KB a file: of a step that is done only the digests are remembered.
  void forget_lists(const Vertex& vertex);

  /// Throws InvalidInput if what `copy` selects is no longer what digest() saw, or was not while it was
  /// copied to `target`, so `record`: then the step's key is not true of what was copied. Returns what it is
  /// now.
  std::shared_ptr<const SelectionList> check_copied(const std::string& name, const CopyAction& copy,
                                                    const Vertex& vertex, const CopyRecord& record,
                                                    const RootedDir& target, std::stop_token stop);
  /// The same for a copy that was made earlier, when its content was `content`.
  void check_is(const Digest& content, const std::string& name, const CopyAction& copy, const Vertex& vertex);

 private:
  /// As digest(), but remembers nothing.
  std::shared_ptr<const SelectionList> list_now(const std::string& name, const CopyAction& copy,
                                                const Vertex& vertex, const std::stop_token& stop);

  std::map<std::string, LocalContext> contexts_;
  FileDigests* digests_;
  ContextListener listener_;
  struct Seen {
    Digest digest;
    std::shared_ptr<const SelectionList> list;
  };
  std::optional<Seen> find_seen(const std::string& name, const CopyAction& copy, const Vertex& vertex);
  Synchronized<std::map<std::pair<Digest, std::string>, Seen>> seen_;  ///< by vertex and selection
};

/// Equal only for copies that select the same in the tree `name`.
std::string selection_key(const std::string& name, const CopyAction& copy);

/// Rethrows a NotFound of content/tree.h as InvalidInput at the vertex's instruction, saying where the path
/// was looked for, with a hint if there is one. Call from within a catch block.
[[noreturn]] void rethrow_missing_source(const NotFound& missing, const Vertex& vertex,
                                         const std::string& where, const std::string& hint = {});

}  // namespace slipway
