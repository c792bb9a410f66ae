#pragma once
// Content-level cache keys, the second tier: what a step is, and the content of what it reads. Known once its
// inputs are there. Two steps with other definitions, and so other definition keys, have one content key if
// what they read is the same: a base image that changed, but not in the file that is copied out of it.
#include <string>
#include <vector>

#include "base/digest.h"
#include "graph/graph.h"

namespace slipway {

/// What an operation reads of one of its inputs.
struct InputReads {
  bool whole = false;                  ///< all of it, as the tree that it changes
  std::vector<CopyAction> selections;  ///< parts of which it sees the content and nothing else
};

/// One for each input, in order; of a source, none. Writable mounts whose changes are dropped are read like
/// others; a cache mount that begins as an input counts as reading it whole.
std::vector<InputReads> input_reads(const Vertex& vertex);

/// `inputs` says in an order that the definition decides what was read: digests of selections, names of
/// trees. Equal texts must mean equal content. Never equal to a definition key.
Digest content_key(const Vertex& vertex, const std::vector<std::string>& inputs);

}  // namespace slipway
