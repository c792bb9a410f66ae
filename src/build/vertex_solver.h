#pragma once
// How a vertex comes to its result: known by its definition key before anything runs; by its content key once
// its inputs are there; made by another build that is at it just now; or run.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/synchronized.h"
#include "build/cache_doubts.h"
#include "build/cache_import.h"
#include "build/result_terms.h"
#include "content/store.h"
#include "graph/graph.h"
#include "history/hider.h"
#include "nodes/local_node.h"

namespace slipway {

/// One for a build; thread-safe. Everything given must outlive it.
class VertexSolver {
 public:
  /// `imports` may be null. `hider` is for described().
  VertexSolver(const Graph& graph, std::map<Digest, Digest> keys, Store& store, LocalNode& node,
               const CacheImports* imports, Hider hider)
      : keys_(std::move(keys)),
        doubts_(cache_doubts(graph)),
        store_(store),
        node_(node),
        imports_(imports),
        terms_(graph, node),
        hider_(std::move(hider)) {}

  /// By vertex.
  const std::map<Digest, Digest>& keys() const { return keys_; }

  /// What the store knows without its inputs; nothing is run or fetched.
  std::optional<VertexResult> find_result(const Vertex& vertex);
  /// The same of caches outside the store.
  std::optional<VertexResult> find_by_definition_in_caches(const Vertex& vertex);
  /// What the store or a cache has by its content key; nothing is run or fetched. The inputs are of this machine.
  std::optional<VertexResult> find_by_content(const Vertex& vertex, const std::vector<VertexResult>& inputs,
                                              std::stop_token stop);
  /// Why a result that it has was not taken, a sentence (result_terms.h); empty: none was passed over.
  std::string passed_over(const Vertex& vertex);

  struct Solution {
    VertexResult result;
    std::string how = {};  ///< it did not run: "hit by content", "shared with another build"
  };
  /// Nothing: another build is at it; wait(), then ask again. Calls `on_run` before it runs the vertex.
  std::optional<Solution> solve(const Vertex& vertex, const std::vector<VertexResult>& inputs,
                                const std::function<void()>& on_run, std::stop_token stop);
  /// After solve() gave nothing. Throws Cancelled.
  void wait(const Vertex& vertex, const std::stop_token& stop);
  /// Its content keys, if solve() has come to know them.
  std::optional<ContentKeys> content_of(const Vertex& vertex);

  /// Its name as it may be kept beside a result: without secrets.
  std::string described(const Vertex& vertex) const { return hider_.apply(vertex.info.name); }

 private:
  bool is_made_anew(const Vertex& vertex) const;
  std::optional<VertexResult> find_in_caches(const Vertex& vertex, const Digest& key);
  std::optional<VertexResult> find_by(const Vertex& vertex, const Digest& key);
  std::optional<VertexResult> taken(const Vertex& vertex, VertexResult known);
  std::optional<Solution> look(const Vertex& vertex, const std::optional<ContentKeys>& content);
  VertexResult run(const Vertex& vertex, const std::optional<ContentKeys>& content,
                   const std::vector<VertexResult>& inputs, std::stop_token stop);

  struct State {
    std::map<Digest, Digest> waits_for;         ///< by vertex: the key whose lock another build holds
    std::set<Digest> ran;                       ///< keys of what this build ran
    std::map<Digest, ContentKeys> contents;     ///< by vertex
    std::map<Digest, std::string> passed_over;  ///< by vertex: why
  };
  const std::map<Digest, Digest> keys_;
  const std::map<Digest, CacheDoubt> doubts_;
  Store& store_;
  LocalNode& node_;
  const CacheImports* const imports_;
  const ResultTerms terms_;
  const Hider hider_;
  Synchronized<State> state_;
};

}  // namespace slipway
