#pragma once
// What the build's policies of emulation ask of a result that is on record. A result stands on those of its
// inputs: what native twins had a part in is a part of all that follows, though each has its own record.
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "graph/graph.h"
#include "nodes/emulation_marks.h"
#include "nodes/local_node.h"

namespace slipway {

/// Immutable, thread-safe. The node must outlive it.
class ResultTerms {
 public:
  ResultTerms(const Graph& graph, const LocalNode& node);

  /// The marks of a vertex's result, of which `recorded` is on record. If that says nothing, they say of
  /// every platform that is emulated in it or below that nobody knows.
  EmulationMarks marks_of(const Digest& vertex, std::string_view recorded) const;
  /// Why a result of the vertex with these marks is not taken, a sentence; empty: it is.
  std::string refusal(const Digest& vertex, const EmulationMarks& marks) const;

 private:
  const LocalNode& node_;
  std::map<Digest, std::set<Platform>> emulated_;  ///< in the vertex or below; none are left out
};

}  // namespace slipway
