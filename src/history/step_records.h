#pragma once
// The steps of a build as records, made from what their keys are made of. Pure: writes nothing.
#include <map>
#include <string>
#include <vector>

#include "content/selection_list.h"
#include "graph/graph.h"
#include "history/hider.h"
#include "history/record.h"

namespace slipway {

/// What the keys of a build's steps were made of.
struct KeyedGraph {
  const Graph& graph;
  const std::map<Digest, Digest>& keys;
  std::map<Digest, std::string> identities;  ///< of remote sources
  std::map<std::string, std::string> args;   ///< the Dockerfile's ARGs, with values where they have one
};

/// Hears what keys are made of while they are made. Thread-safe.
class KeyListener {
 public:
  virtual ~KeyListener() = default;
  /// A step's key is being made, and covers this of a context.
  virtual void on_context_read(const Vertex& vertex, const std::string& context, const CopyAction& copy,
                               const SelectionList& list) noexcept = 0;
  /// Once, after that and before any step starts.
  virtual void on_keys(const KeyedGraph& keyed) noexcept = 0;
};

/// What steps read of contexts, by the step's id.
using ContextReads = std::map<std::string, std::vector<ContextRead>>;

/// `hider` hides from now on the values of those ARGs, and of the steps' ENVs, that are secret by name.
void hide_variables(const Graph& graph, const std::map<std::string, std::string>& args, Hider& hider);

/// One for each vertex, in order. `hider` hides from now on what the build's variables say is secret.
std::vector<StepRecord> step_records(const KeyedGraph& keyed, ContextReads reads, Hider& hider);

ContextRead context_read(const std::string& context, const CopyAction& copy, const SelectionList& list,
                         const Hider& hider);
/// The lines of ContextRead::manifest.
std::string manifest_text(const std::vector<SelectedEntry>& entries);

}  // namespace slipway
